//! A refusal as the audit keeps it, and as an ESME that wants reasons is told.

use bytes::BytesMut;

use super::registry::Identity;
use crate::audit::{Audit, Digester, Octets, Record, Verdict};
use crate::config::Mode;
use crate::pdu::{Address, CommandId, DataSmResp, Frame, SubmitMultiResp, SubmitSmResp, Tlv, TlvTag, Tlvs};
use crate::policy::{Now, Recipients, Rejection, Standing, Submission};

/// The message that was refused, and for which recipient if only for one.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    frame: Frame<'a>,
    recipient: Option<Address<'a>>,
    campaign: Option<usize>,
}

impl<'a> Subject<'a> {
    /// The message as a whole.
    pub(super) fn of(frame: Frame<'a>) -> Self {
        Self { frame, recipient: None, campaign: None }
    }

    /// The message of this campaign of its account.
    pub(super) fn of_campaign(self, place: Option<usize>) -> Self {
        Self { campaign: place, ..self }
    }

    /// The message to one of its recipients.
    pub(super) fn to(self, recipient: &Address<'a>) -> Self {
        Self { recipient: Some(*recipient), ..self }
    }
}

/// The record of a refusal. The message is decoded once more: refusals are rare, and what passes pays nothing for them.
pub(super) fn make(
    audit: &Audit,
    identity: &Identity,
    standing: &Standing,
    rejection: &Rejection,
    subject: Subject<'_>,
    now: Now,
) -> Record {
    let at = jiff::Timestamp::from_millisecond(now.unix_millis).unwrap_or_default();
    let message = Submission::decode(subject.frame).ok();
    let recipient = subject.recipient.or(match message.map(|message| message.recipients) {
        Some(Recipients::One(address)) => Some(address),
        _ => None,
    });
    let segments = message.map_or(1, |message| match subject.recipient {
        Some(_) => 1,
        None => message.recipients.len(),
    });
    Record {
        reference: audit.reference(at),
        at,
        account: Octets::new(standing.account.system_id().as_bytes()),
        bind: identity.place.handle().id(),
        operation: subject.frame.command_id(),
        sequence: subject.frame.sequence_number(),
        source: Octets::new(message.map_or(&[], |message| message.source.digits)),
        campaign: Octets::new(
            subject
                .campaign
                .and_then(|place| standing.account.campaigns().get(place))
                .map_or(&[], |campaign| campaign.name().as_bytes()),
        ),
        destination: Octets::new(recipient.map_or(&[], |address| address.without_prefix())),
        verdict: if rejection.mode == Mode::Enforce { Verdict::Rejected } else { Verdict::Shadow },
        mode: rejection.mode.name(),
        rule: rejection.rule.name(),
        clause: rejection.clause.map(|clause| clause.0),
        status: rejection.status,
        evidence: rejection.evidence,
        text_hash: message.and_then(|message| {
            Digester::new(audit.key()).digest(&message, standing.account.declared().default_alphabet).text
        }),
        segments,
        policy_version: standing.snapshot.version(),
    }
}

/// A refusal with additional_status_info_text (section 5.3.2.11): rule, clause and evidence in a line. The empty
/// message_id stands before it, as the response's layout wants.
pub(super) fn refusal_with_reason(frame: Frame<'_>, rejection: &Rejection) -> BytesMut {
    let mut text = rejection.to_string();
    text.truncate(255);
    text.push('\0');
    let reason = Tlv { tag: TlvTag::ADDITIONAL_STATUS_INFO_TEXT, value: text.as_bytes() };
    let (mut list, mut pdu) = (BytesMut::new(), BytesMut::new());
    let (status, sequence) = (rejection.status, frame.sequence_number());
    // The only thing that a layout refuses is an over-long TLV, and this one is short.
    let tlvs = Tlvs::build([reason], &mut list).unwrap_or_default();
    let _written = match frame.command_id() {
        CommandId::DATA_SM => DataSmResp { tlvs, ..DataSmResp::default() }.encode(status, sequence, &mut pdu),
        CommandId::SUBMIT_MULTI => {
            SubmitMultiResp { tlvs, ..SubmitMultiResp::default() }.encode(status, sequence, &mut pdu)
        }
        CommandId::SUBMIT_SM => SubmitSmResp { tlvs, ..SubmitSmResp::default() }.encode(status, sequence, &mut pdu),
        // replace_sm_resp has no body (section 4.10.2).
        other => {
            pdu.extend_from_slice(&crate::pdu::header_only(other.response(), status, sequence));
            Ok(())
        }
    };
    pdu
}
