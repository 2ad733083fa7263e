use std::sync::Arc;
use std::time::Duration;

use super::*;
use crate::config::{Mode, RuleName};
use crate::policy::{Clause, Evidence, Rejection};

fn rejection(mode: Mode, clause: Option<u16>, status: CommandStatus) -> Rejection {
    let evidence = Evidence::Sender("not one of the account's");
    Rejection { rule: RuleName::Sender, mode, clause: clause.map(Clause), status, evidence }
}

/// The samples that begin so.
fn samples(metrics: &Metrics, start: &str) -> Vec<String> {
    let text = metrics.write(Format::Prometheus, &Figures::default());
    let mut found: Vec<String> = text.lines().filter(|line| line.starts_with(start)).map(str::to_owned).collect();
    found.sort();
    found
}

#[test]
fn open_metrics_for_who_asks_for_them() {
    let of_prometheus =
        "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.2";
    for (accept, expected) in [
        (of_prometheus, Format::OpenMetrics),
        ("text/plain, Application/OpenMetrics-Text", Format::OpenMetrics),
        ("text/plain;version=0.0.4", Format::Prometheus),
        ("application/openmetrics-text-or-so", Format::Prometheus),
        ("*/*", Format::Prometheus),
        ("", Format::Prometheus),
    ] {
        assert_eq!(Format::of(accept), expected, "{accept}");
    }
}

#[test]
fn the_formats_differ_in_their_end_and_in_what_counters_are_called() {
    let metrics = Metrics::new();
    metrics.connected();
    let open = metrics.write(Format::OpenMetrics, &Figures::default());
    let plain = metrics.write(Format::Prometheus, &Figures::default());
    assert!(open.ends_with("# EOF\n") && open.matches("# EOF").count() == 1, "{open}");
    assert!(open.contains("# TYPE smppolicy_connections_accepted counter\n"), "{open}");
    assert!(
        !plain.contains("EOF") && plain.contains("# TYPE smppolicy_connections_accepted_total counter\n"),
        "{plain}"
    );
    for text in [open, plain] {
        assert!(text.contains("\nsmppolicy_connections_accepted_total 1\n"), "{text}");
    }
}

#[test]
fn a_burst_is_added_at_its_end() {
    let metrics = Arc::new(Metrics::new());
    let mut tally = Tally::new(metrics.clone(), "shop");
    for verdict in [Verdict::Relayed, Verdict::Relayed, Verdict::Shadow, Verdict::Rejected] {
        tally.judged(verdict);
    }
    tally.took(Duration::from_micros(12));
    tally.malformed();
    tally.withheld();
    tally.withheld();
    assert!(samples(&metrics, "smppolicy_messages_total").iter().all(|sample| sample.ends_with(" 0")));
    tally.end_burst(300, 40);
    let messages = [("rejected", 1), ("relayed", 2), ("shadow", 1)]
        .map(|(verdict, count)| format!("smppolicy_messages_total{{account=\"shop\",verdict=\"{verdict}\"}} {count}"));
    assert_eq!(samples(&metrics, "smppolicy_messages_total"), messages);
    assert_eq!(samples(&metrics, "smppolicy_withheld"), ["smppolicy_withheld_total{account=\"shop\"} 2"]);
    assert_eq!(samples(&metrics, "smppolicy_malformed"), ["smppolicy_malformed_requests_total{account=\"shop\"} 1"]);
    let octets = [("down", 40), ("up", 300)]
        .map(|(direction, octets)| format!("smppolicy_bytes_total{{direction=\"{direction}\"}} {octets}"));
    assert_eq!(samples(&metrics, "smppolicy_bytes_total"), octets);
    // Four of three microseconds each.
    for (line, count) in [("bucket{le=\"2e-06\"}", 0), ("bucket{le=\"5e-06\"}", 4), ("count", 4)] {
        let expected = format!("smppolicy_verdict_seconds_{line} {count}");
        assert_eq!(samples(&metrics, &format!("smppolicy_verdict_seconds_{line}")), [expected]);
    }
    assert_eq!(samples(&metrics, "smppolicy_verdict_seconds_sum"), ["smppolicy_verdict_seconds_sum 0.000012"]);
    tally.end_burst(0, 0);
    assert_eq!(samples(&metrics, "smppolicy_messages_total"), messages);
}

#[test]
fn what_is_not_added_when_a_bind_ends_is_added_then() {
    let metrics = Arc::new(Metrics::new());
    let mut tally = Tally::new(metrics.clone(), "shop");
    tally.judged(Verdict::Relayed);
    tally.turn_to("shop");
    tally.answered(CommandStatus::ESME_ROK, Duration::ZERO);
    tally.turn_to("other");
    tally.judged(Verdict::Relayed);
    drop(tally);
    for account in ["shop", "other"] {
        let sample = format!("smppolicy_messages_total{{account=\"{account}\",verdict=\"relayed\"}} 1");
        assert_eq!(samples(&metrics, &sample).len(), 1, "{account}");
    }
    assert_eq!(samples(&metrics, "smppolicy_upstream_responses_total").len(), 1);
}

#[test]
fn answers_are_counted_by_status_and_those_without_a_name_together() {
    let metrics = Arc::new(Metrics::new());
    let mut tally = Tally::new(metrics.clone(), "shop");
    let (ok, busy) = (CommandStatus::ESME_ROK, CommandStatus::ESME_RTHROTTLED);
    // Neighbours are counted together, and others in between do not lose them.
    for (status, millis) in
        [(ok, 1), (ok, 1), (busy, 1), (ok, 40), (CommandStatus(0x400), 1), (CommandStatus(0x7FF), 1)]
    {
        tally.answered(status, Duration::from_millis(millis));
    }
    for unnamed in 0x1_0000..0x1_0400 {
        tally.answered(CommandStatus(unnamed), Duration::from_secs(300));
    }
    tally.end_burst(0, 0);
    let expected = [("ESME_ROK", 3), ("ESME_RTHROTTLED", 1), ("other", 1026)].map(|(status, count)| {
        format!("smppolicy_upstream_responses_total{{account=\"shop\",status=\"{status}\"}} {count}")
    });
    assert_eq!(samples(&metrics, "smppolicy_upstream_responses_total"), expected);
    for (bound, count) in [("0.0005", 0), ("0.001", 5), ("0.05", 6), ("120", 6), ("+Inf", 1030)] {
        let sample = format!("smppolicy_upstream_seconds_bucket{{le=\"{bound}\"}}");
        assert_eq!(samples(&metrics, &sample), [format!("{sample} {count}")]);
    }
    assert_eq!(samples(&metrics, "smppolicy_upstream_seconds_sum"), ["smppolicy_upstream_seconds_sum 307200.045"]);
}

#[test]
fn refusals_are_counted_by_ground_and_apart_from_those_in_shadow_mode() {
    let metrics = Arc::new(Metrics::new());
    let mut tally = Tally::new(metrics.clone(), "shop");
    let status = CommandStatus::ESME_RINVSRCADR;
    for (mode, clause) in [
        (Mode::Enforce, Some(7)),
        (Mode::Enforce, Some(7)),
        (Mode::Enforce, Some(8)),
        (Mode::Enforce, None),
        (Mode::Shadow, Some(7)),
    ] {
        tally.refused(&rejection(mode, clause, status));
    }
    let of = |name: &str, clause: &str, count: u64| {
        format!(
            "smppolicy_{name}_total{{account=\"shop\",rule=\"sender\",clause=\"{clause}\",status=\"ESME_RINVSRCADR\"}} {count}"
        )
    };
    let rejections = [of("rejections", "7", 2), of("rejections", "8", 1), of("rejections", "none", 1)];
    assert_eq!(samples(&metrics, "smppolicy_rejections_total"), rejections);
    assert_eq!(samples(&metrics, "smppolicy_shadow_rejections_total"), [of("shadow_rejections", "7", 1)]);
}

#[test]
fn what_is_declared_is_at_zero_before_anything_happens() {
    let metrics = Metrics::new();
    metrics.declare(["shop", "a \"b\"\n"].into_iter(), ["main"].into_iter());
    metrics.in_force(1_500);
    assert_eq!(samples(&metrics, "smppolicy_messages_total").len(), 6);
    assert!(samples(&metrics, "smppolicy_messages_total{account=\"a \\\"b\\\"\\n\",verdict=\"shadow\"} 0").len() == 1);
    let unreachable = "smppolicy_upstream_connect_failures_total{upstream=\"main\"} 0";
    assert_eq!(samples(&metrics, "smppolicy_upstream_connect_failures_total"), [unreachable]);
    let of = |success: u32, failure: u32, last: u32, at: &str| {
        let reloads = [("failure", failure), ("success", success)]
            .map(|(result, count)| format!("smppolicy_config_reloads_total{{result=\"{result}\"}} {count}"));
        let last = [
            format!("smppolicy_config_last_reload_success_timestamp_seconds {at}"),
            format!("smppolicy_config_last_reload_successful {last}"),
        ];
        last.into_iter().chain(reloads).collect::<Vec<_>>()
    };
    assert_eq!(samples(&metrics, "smppolicy_config_"), of(0, 0, 1, "1.5"));
    metrics.reloaded(false, 2_000);
    assert_eq!(samples(&metrics, "smppolicy_config_"), of(0, 1, 0, "1.5"));
    metrics.reloaded(true, 3_000);
    assert_eq!(samples(&metrics, "smppolicy_config_"), of(1, 1, 1, "3.0"));
}

#[test]
fn what_cannot_be_read_of_the_workflows_is_left_out() {
    let metrics = Metrics::new();
    assert_eq!(samples(&metrics, "smppolicy_proof_requests"), [""; 0]);
    let proofs = [("created", 0), ("delivered", 2)].into();
    let workflows = crate::ledger::workflow::Figures { proofs, next_deadline: Some(4_500), ..Default::default() };
    let text = metrics.write(Format::Prometheus, &Figures { workflows: Some(workflows), ..Figures::default() });
    for sample in [
        "smppolicy_proof_requests{state=\"delivered\"} 2",
        "smppolicy_proof_next_deadline_timestamp_seconds 4.5",
        "smppolicy_complaints_total 0",
        "smppolicy_outbox_events 0",
    ] {
        assert!(text.lines().any(|line| line == sample), "{sample}: {text}");
    }
}

#[cfg(target_os = "linux")]
#[test]
fn of_this_process_there_is_what_prometheus_expects() {
    let metrics = Metrics::new();
    for (name, least) in [
        ("cpu_seconds_total", 0.0),
        ("resident_memory_bytes", 1e6),
        ("virtual_memory_bytes", 1e6),
        ("open_fds", 3.0),
        ("threads", 1.0),
    ] {
        let found = samples(&metrics, &format!("process_{name}"));
        let value: f64 = found.first().and_then(|sample| sample.split(' ').nth(1)?.parse().ok()).unwrap();
        assert!(found.len() == 1 && value >= least, "{found:?}");
    }
    let started = samples(&metrics, "process_start_time_seconds");
    let since: f64 = started.first().and_then(|sample| sample.split(' ').nth(1)?.parse().ok()).unwrap();
    let now = jiff::Timestamp::now().as_second() as f64;
    assert!(now - 86_400.0 < since && since < now + 2.0, "{since} {now}");
}
