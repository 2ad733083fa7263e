"""What every client does against every SMSC, and what each must have seen of it.

Knows no process and no socket: a step's report, or an SMSC's list of messages, goes in, and what is wrong with it comes out.
"""

import re

# What every client sends, in the environment of every peer.
SCRIPT = {
    "PEER_SYSTEM_ID": "shop",
    "PEER_PASSWORD": "secret",
    "PEER_SENDER": "SHOP",
    "PEER_STRANGER": "EVIL",
    "PEER_BURSTER": "BURST",
    "PEER_TO": "32470000001",
    "PEER_TEXT": "hello world",
    # What OFFERS sends is marketing. Both numbers have agreed to it; TO changes its mind, OTHER does not.
    "PEER_OFFERER": "OFFERS",
    "PEER_OTHER": "32470000002",
    "PEER_OFFER": "Shop: winter sale until Sunday. STOP to end",
    # The SMSC answers this text with a message of its own (MO), PEER_MO, as smppolicy's simulator does.
    "PEER_CALL": "MO:hello from the handset",
    "PEER_MO": "hello from the handset",
    # Only characters that are one octet in GSM 03.38, Latin-1 and ASCII alike.
    "PEER_LONG": " ".join(f"word{number:03}" for number in range(50)),
    "PEER_UCS2": "Grüße, Κόσμε 😀",
    "PEER_BURST": "12",
    "PEER_WAIT": "3",
    "PEER_PAUSE": "1.5",
}
SCRIPT["PEER_UCS2_HEX"] = SCRIPT["PEER_UCS2"].encode("utf-16-be").hex()

ROK, RINVSRCADR, RINVDSTADR, RTHROTTLED = 0x00, 0x0A, 0x0B, 0x58


def is_status(wanted):
    return lambda seen: None if seen.get("status") == wanted else f"status {seen.get('status')}, expected {wanted}"


def submitted(seen):
    return is_status(ROK)(seen) or (None if seen.get("message_id") else "no message_id")


def receipt(seen):
    text = seen.get("text") or ""
    if seen.get("esm_class") is not None and seen["esm_class"] & 0x3C != 0x04:
        return f"esm_class {seen['esm_class']} is no receipt"
    return None if "stat:DELIVRD" in text else f"receipt text {text!r}"


def mo(text):
    return lambda seen: None if seen.get("text") == text else f"MO text {seen.get('text')!r}"


def all_ok(seen):
    statuses = seen.get("statuses") or []
    return None if len(statuses) >= 3 and not any(statuses) else f"statuses {statuses}"


def throttled(seen):
    statuses = seen.get("statuses") or []
    odd = [s for s in statuses if s not in (ROK, RTHROTTLED)]
    if odd or len(statuses) < int(SCRIPT["PEER_BURST"]):
        return f"statuses {statuses}"
    if RTHROTTLED not in statuses:
        return "nothing of the burst was throttled"
    return None if statuses.count(ROK) >= 5 else f"only {statuses.count(ROK)} of the burst passed"


def closed(seen):
    return None if seen.get("closed") else "the link stayed open"


OK = is_status(ROK)
OUT = is_status(RINVDSTADR)
SCENARIOS = {
    "transceiver": {
        "bind": OK,
        "submit": submitted,
        "receipt": receipt,
        "mo": mo(SCRIPT["PEER_MO"]),
        "long": all_ok,
        "ucs2": OK,
        "enquire_link": OK,
        "refused": is_status(RINVSRCADR),
        "throttled": throttled,
        "later": OK,
        "unbind": OK,
    },
    "two_binds": {
        "bind_transmitter": OK,
        "bind_receiver": OK,
        "submit": submitted,
        "receipt": receipt,
        "mo": mo(SCRIPT["PEER_MO"]),
        "unbind_transmitter": OK,
        "unbind_receiver": OK,
    },
    "loss": {"bind": OK, "submit": submitted, "lost": closed},
    # Its first leg ends with the death of the proxy.
    "opt_out": {
        "bind": OK,
        "offer": OK,
        "heard_stop": mo("STOP"),
        "opted_out": OUT,
        "other": OK,
        "lost": closed,
        "bind_again": OK,
        "still_out": OUT,
        "heard_start": mo("START"),
        "opted_in": OK,
        "unbind": OK,
    },
}
# Where a client is started more than once: with what, one after the other. Else it is started once, with the scenario.
LEGS = {"opt_out": ["stop", "start"]}
# Legs in which a process beyond the client's link is killed.
CUT = {"loss", "stop"}

CONSENTS = "msisdn,account,sender,purpose,method,at,wording,source\n" + "".join(
    f"{number},{SCRIPT['PEER_SYSTEM_ID']},{SCRIPT['PEER_OFFERER']},marketing,web form,2024-01-02T03:04:05Z,Yes to offers,shop.example\n"
    for number in (SCRIPT["PEER_TO"], SCRIPT["PEER_OTHER"])
)


def from_handset(leg):
    """What the SMSC is told to deliver in the midst of a leg of `opt_out`: the word that the leg is named after."""
    return {"source": SCRIPT["PEER_TO"], "destination": SCRIPT["PEER_OFFERER"], "text": leg.upper()}


def at_smsc(events, scenario):
    """What the SMSC says it took against what the client meant, octets decoded by the SMSC."""
    texts = [e["text"] for e in events if e["status"] == ROK and not e.get("udh")]
    wanted = [SCRIPT["PEER_TEXT"]]
    if scenario == "transceiver":
        wanted += [SCRIPT["PEER_CALL"], SCRIPT["PEER_UCS2"]]
        parts = sorted((bytes.fromhex(e["udh"])[-1], e["text"]) for e in events if e.get("udh"))
        joined = "".join(text for _, text in parts)
        if joined != SCRIPT["PEER_LONG"]:
            return f"the long message arrived as {joined!r}"
    missing = [text for text in wanted if text not in texts]
    return f"never arrived: {missing}" if missing else None


def offers_at_smsc(events):
    """Of the five offers the SMSC saw these three and nothing else: not one that was refused."""
    wanted = [(SCRIPT[f"PEER_{to}"], SCRIPT["PEER_OFFER"]) for to in ("TO", "OTHER", "TO")]
    seen = [(event["destination"], event["text"]) for event in events]
    return None if seen == wanted else f"the SMSC saw {seen}"


def kept_away(events, steps):
    """Through the proxy, what it refused must never reach the SMSC."""
    if any(e["source"] == SCRIPT["PEER_STRANGER"] for e in events):
        return "the refused message reached the SMSC"
    statuses = steps.get("throttled", {}).get("statuses")
    if statuses is None:
        return None  # told by the step itself
    passed = statuses.count(ROK)
    arrived = sum(e["status"] == ROK and re.fullmatch(r"burst \d+", e["text"]) is not None for e in events)
    return None if passed == arrived else f"{passed} of the burst were answered ESME_ROK, {arrived} reached the SMSC"
