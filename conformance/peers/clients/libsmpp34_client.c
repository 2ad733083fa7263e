/* libsmpp34 as ESME: `libsmpp34_client HOST PORT SCENARIO`; reports as clients/report.py tells.
 *
 * The library packs and unpacks PDUs; sockets and waiting are the application's. One PDU at a time
 * goes out and is answered, as its own examples do it, but for the burst and the parts.
 */
#include <arpa/inet.h>
#include <libsmpp34/smpp34.h>
#include <libsmpp34/smpp34_structs.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MAX_PDU 4096
#define KEPT 64

typedef struct {
    uint32_t status, sequence;
    char message_id[65];
} answer;

typedef struct {
    int socket;
    uint32_t sequence;
    answer answers[KEPT];
    int answered;
    deliver_sm_t delivered[KEPT];
    int deliveries;
} esme;

static const char *host, *failure;
static int port;

static const char *env(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec / 1e9;
}

/* Texts here hold no control characters; quotes and backslashes are what is left to escape. */
static void say_text(const char *name, const char *text) {
    printf(", \"%s\": \"", name);
    for (; *text; text++)
        printf(*text == '"' || *text == '\\' ? "\\%c" : "%c", *text);
    printf("\"");
}

static void say(const char *step) { printf("{\"step\": \"%s\"", step); }

static void done(void) {
    if (failure)
        say_text("error", failure);
    failure = NULL;
    puts("}");
    fflush(stdout);
}

static int send_pdu(esme *e, void *pdu) {
    uint8_t buffer[MAX_PDU];
    int length = 0;
    if (smpp34_pack2(buffer, sizeof buffer, &length, pdu) != 0) {
        failure = smpp34_strerror;
        return -1;
    }
    if (send(e->socket, buffer, length, MSG_NOSIGNAL) != length) {
        failure = "the link was closed";
        return -1;
    }
    return 0;
}

static int read_exact(esme *e, uint8_t *into, int length, double end) {
    for (int got = 0; got < length;) {
        struct pollfd ready = {.fd = e->socket, .events = POLLIN};
        double left = end - now();
        if (left <= 0 || poll(&ready, 1, (int)(left * 1000) + 1) <= 0) {
            failure = "no answer in time";
            return -1;
        }
        int n = recv(e->socket, into + got, length - got, 0);
        if (n <= 0) {
            failure = "the link was closed";
            return -1;
        }
        got += n;
    }
    return 0;
}

#define HEADER(type, id, number) \
    type pdu;                    \
    memset(&pdu, 0, sizeof pdu); \
    pdu.command_id = (id);       \
    pdu.sequence_number = (number)

static int acknowledge(esme *e, uint32_t sequence) {
    HEADER(deliver_sm_resp_t, DELIVER_SM_RESP, sequence);
    return send_pdu(e, &pdu);
}

static int alive(esme *e, uint32_t sequence) {
    HEADER(enquire_link_resp_t, ENQUIRE_LINK_RESP, sequence);
    return send_pdu(e, &pdu);
}

/* Reads one PDU and files it: answers by number, messages in order. */
static int read_one(esme *e, double end) {
    uint8_t buffer[MAX_PDU];
    union {
        bind_transceiver_resp_t bind;
        submit_sm_resp_t submit;
        deliver_sm_t deliver;
        unbind_resp_t header;
    } pdu;
    if (read_exact(e, buffer, 4, end) != 0)
        return -1;
    uint32_t length = ntohl(*(uint32_t *)buffer);
    if (length < 16 || length > sizeof buffer) {
        failure = "impossible command_length";
        return -1;
    }
    if (read_exact(e, buffer + 4, length - 4, end) != 0)
        return -1;
    memset(&pdu, 0, sizeof pdu);
    if (smpp34_unpack2(&pdu, buffer, length) != 0) {
        failure = smpp34_strerror;
        return -1;
    }
    if (pdu.header.command_id == DELIVER_SM && e->deliveries < KEPT) {
        e->delivered[e->deliveries++] = pdu.deliver;
        return acknowledge(e, pdu.deliver.sequence_number);
    }
    if (pdu.header.command_id == ENQUIRE_LINK)
        return alive(e, pdu.header.sequence_number);
    if (pdu.header.command_id & 0x80000000 && e->answered < KEPT) {
        answer *a = &e->answers[e->answered++];
        a->status = pdu.header.command_status;
        a->sequence = pdu.header.sequence_number;
        if (pdu.header.command_id == SUBMIT_SM_RESP)
            snprintf(a->message_id, sizeof a->message_id, "%s", (char *)pdu.submit.message_id);
    }
    return 0;
}

static const answer *await_answer(esme *e, uint32_t sequence) {
    double end = now() + atof(env("PEER_WAIT"));
    while (1) {
        for (int i = 0; i < e->answered; i++)
            if (e->answers[i].sequence == sequence)
                return &e->answers[i];
        if (read_one(e, end) != 0)
            return NULL;
    }
}

/* The next deliver_sm that is a receipt, or the next that is a message. */
static const deliver_sm_t *await_delivery(esme *e, int receipt) {
    static deliver_sm_t found;
    double end = now() + atof(env("PEER_WAIT"));
    while (1) {
        for (int i = 0; i < e->deliveries; i++)
            if (!!(e->delivered[i].esm_class & 0x3C) == receipt) {
                found = e->delivered[i];
                memmove(&e->delivered[i], &e->delivered[i + 1], (--e->deliveries - i) * sizeof found);
                return &found;
            }
        if (read_one(e, end) != 0)
            return NULL;
    }
}

static void connect_esme(esme *e) {
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(port)};
    memset(e, 0, sizeof *e);
    inet_pton(AF_INET, host, &to.sin_addr);
    e->socket = socket(AF_INET, SOCK_STREAM, 0);
    if (connect(e->socket, (struct sockaddr *)&to, sizeof to) != 0) {
        perror("connect");
        exit(1);
    }
}

static void report_status(esme *e, const char *step, uint32_t sequence) {
    const answer *a = sequence ? await_answer(e, sequence) : NULL;
    say(step);
    if (a) {
        printf(", \"status\": %u", a->status);
        say_text("message_id", a->message_id);
    }
    done();
}

static void report_statuses(esme *e, const char *step, const uint32_t *sequences, int count) {
    say(step);
    printf(", \"statuses\": [");
    for (int i = 0; i < count; i++) {
        const answer *a = await_answer(e, sequences[i]);
        if (!a)
            break;
        printf("%s%u", i ? ", " : "", a->status);
    }
    printf("]");
    done();
}

/* The three binds have the same fields in the same order. */
static uint32_t bind_as(esme *e, uint32_t command) {
    HEADER(bind_transceiver_t, command, ++e->sequence);
    strcpy((char *)pdu.system_id, env("PEER_SYSTEM_ID"));
    strcpy((char *)pdu.password, env("PEER_PASSWORD"));
    pdu.interface_version = SMPP_VERSION;
    return send_pdu(e, &pdu) == 0 ? pdu.sequence_number : 0;
}

static uint32_t submit_to(esme *e, const char *to, const char *sender, const void *text, int length, int esm_class,
                          int coding, int receipt) {
    HEADER(submit_sm_t, SUBMIT_SM, ++e->sequence);
    pdu.source_addr_ton = TON_Alphanumeric;
    strcpy((char *)pdu.source_addr, sender);
    pdu.dest_addr_ton = TON_International;
    pdu.dest_addr_npi = NPI_ISDN_E163_E164;
    strcpy((char *)pdu.destination_addr, to);
    pdu.esm_class = esm_class;
    pdu.data_coding = coding;
    pdu.registered_delivery = receipt;
    pdu.sm_length = length;
    memcpy(pdu.short_message, text, length);
    return send_pdu(e, &pdu) == 0 ? pdu.sequence_number : 0;
}

static uint32_t submit(esme *e, const char *sender, const void *text, int length, int esm_class, int coding, int receipt) {
    return submit_to(e, env("PEER_TO"), sender, text, length, esm_class, coding, receipt);
}

static uint32_t submit_text(esme *e, const char *sender, const char *text, int receipt) {
    return submit(e, sender, text, strlen(text), 0, 0, receipt);
}

static void unbind(esme *e, const char *step) {
    HEADER(unbind_t, UNBIND, ++e->sequence);
    report_status(e, step, send_pdu(e, &pdu) == 0 ? pdu.sequence_number : 0);
    close(e->socket);
}

static void report_delivery(esme *e, const char *step, int receipt) {
    char text[256] = "";
    const deliver_sm_t *d = await_delivery(e, receipt);
    say(step);
    if (d) {
        memcpy(text, d->short_message, d->sm_length);
        printf(", \"esm_class\": %u", d->esm_class);
        say_text("text", text);
    }
    done();
}

static void receipt_and_mo(esme *sending, esme *receiving) {
    report_status(sending, "submit", submit_text(sending, env("PEER_SENDER"), env("PEER_TEXT"), 1));
    report_delivery(receiving, "receipt", 1);
    uint32_t call = submit_text(sending, env("PEER_SENDER"), env("PEER_CALL"), 0);
    if (await_answer(sending, call))
        report_delivery(receiving, "mo", 0);
}

static void long_message(esme *e) {
    const char *text = env("PEER_LONG");
    int length = strlen(text), total = (length + 152) / 153;
    uint32_t sequences[KEPT];
    for (int part = 0; part < total; part++) {
        int size = length - part * 153 < 153 ? length - part * 153 : 153;
        uint8_t octets[160] = {5, 0, 3, 7, total, part + 1};
        memcpy(octets + 6, text + part * 153, size);
        sequences[part] = submit(e, env("PEER_SENDER"), octets, 6 + size, 0x40, 0, 0);
    }
    report_statuses(e, "long", sequences, total);
}

static void ucs2(esme *e) {
    const char *hex = env("PEER_UCS2_HEX");
    uint8_t octets[140];
    int length = strlen(hex) / 2;
    for (int i = 0; i < length; i++)
        sscanf(hex + 2 * i, "%2hhx", &octets[i]);
    report_status(e, "ucs2", submit(e, env("PEER_SENDER"), octets, length, 0, 8, 0));
}

static void burst(esme *e) {
    int count = atoi(env("PEER_BURST"));
    uint32_t sequences[KEPT];
    char text[16];
    e->answered = 0; /* of what went before, nothing is waited for any more */
    for (int i = 0; i < count; i++) {
        snprintf(text, sizeof text, "burst %02d", i + 1);
        sequences[i] = submit_text(e, env("PEER_BURSTER"), text, 0);
    }
    report_statuses(e, "throttled", sequences, count);
}

static void transceiver(void) {
    static esme e;
    connect_esme(&e);
    report_status(&e, "bind", bind_as(&e, BIND_TRANSCEIVER));
    receipt_and_mo(&e, &e);
    long_message(&e);
    ucs2(&e);
    HEADER(enquire_link_t, ENQUIRE_LINK, ++e.sequence);
    report_status(&e, "enquire_link", send_pdu(&e, &pdu) == 0 ? pdu.sequence_number : 0);
    report_status(&e, "refused", submit_text(&e, env("PEER_STRANGER"), env("PEER_TEXT"), 0));
    burst(&e);
    usleep((useconds_t)(atof(env("PEER_PAUSE")) * 1e6));
    report_status(&e, "later", submit_text(&e, env("PEER_BURSTER"), "burst late", 0));
    unbind(&e, "unbind");
}

static void two_binds(void) {
    static esme sending, receiving;
    connect_esme(&sending);
    connect_esme(&receiving);
    report_status(&sending, "bind_transmitter", bind_as(&sending, BIND_TRANSMITTER));
    report_status(&receiving, "bind_receiver", bind_as(&receiving, BIND_RECEIVER));
    receipt_and_mo(&sending, &receiving);
    unbind(&sending, "unbind_transmitter");
    unbind(&receiving, "unbind_receiver");
}

static void lost(esme *e) {
    say("up");
    done();
    double end = now() + atof(env("PEER_WAIT"));
    while (read_one(e, end) == 0)
        ;
    int closed = failure && strcmp(failure, "the link was closed") == 0;
    if (closed)
        failure = NULL;
    say("lost");
    printf(", \"closed\": %s", closed ? "true" : "false");
    done();
}

static void loss(void) {
    static esme e;
    connect_esme(&e);
    report_status(&e, "bind", bind_as(&e, BIND_TRANSCEIVER));
    report_status(&e, "submit", submit_text(&e, env("PEER_SENDER"), env("PEER_TEXT"), 0));
    lost(&e);
}

static void offer(esme *e, const char *step, const char *to) {
    const char *text = env("PEER_OFFER");
    report_status(e, step, submit_to(e, to, env("PEER_OFFERER"), text, strlen(text), 0, 0, 0));
}

static void heard(esme *e, const char *step) {
    say("listening");
    done();
    report_delivery(e, step, 0);
}

static void stop(void) {
    static esme e;
    connect_esme(&e);
    report_status(&e, "bind", bind_as(&e, BIND_TRANSCEIVER));
    offer(&e, "offer", env("PEER_TO"));
    heard(&e, "heard_stop");
    offer(&e, "opted_out", env("PEER_TO"));
    offer(&e, "other", env("PEER_OTHER"));
    lost(&e);
}

static void start(void) {
    static esme e;
    connect_esme(&e);
    report_status(&e, "bind_again", bind_as(&e, BIND_TRANSCEIVER));
    offer(&e, "still_out", env("PEER_TO"));
    heard(&e, "heard_start");
    offer(&e, "opted_in", env("PEER_TO"));
    unbind(&e, "unbind");
}

int main(int count, char **arguments) {
    if (count != 4)
        return 2;
    host = arguments[1];
    port = atoi(arguments[2]);
    if (strcmp(arguments[3], "transceiver") == 0)
        transceiver();
    else if (strcmp(arguments[3], "two_binds") == 0)
        two_binds();
    else if (strcmp(arguments[3], "stop") == 0)
        stop();
    else if (strcmp(arguments[3], "start") == 0)
        start();
    else
        loss();
    return 0;
}
