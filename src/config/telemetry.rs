//! `[telemetry]`: where spans go. Only a program that can send them knows the section.

use super::reader::Table;

/// The URL of the collector; none: spans go nowhere.
#[cfg(feature = "otlp")]
pub(super) fn otlp_endpoint(root: &mut Table<'_>) -> Option<String> {
    let mut table = root.table("telemetry")?;
    table.required("otlp_endpoint", "add the URL of a collector, or remove the section", url)
}

#[cfg(feature = "otlp")]
fn url(value: &toml::de::DeValue<'_>) -> super::value::Read<String> {
    super::value::parsed(value, r#"the URL of a collector, such as "http://127.0.0.1:4318""#, |text| {
        let (scheme, rest) = text.split_once("://")?;
        let has_host = !rest.is_empty() && !rest.starts_with(['/', ':', '?', '#']) && !rest.contains(['@', '?', '#']);
        let fits = matches!(scheme, "http" | "https") && has_host && text.bytes().all(|octet| octet.is_ascii_graphic());
        fits.then(|| text.to_owned())
    })
}

/// The section is a fault.
#[cfg(not(feature = "otlp"))]
pub(super) fn refuse(root: &mut Table<'_>) {
    if let Some(table) = root.table("telemetry") {
        let help = "build it with `cargo build --release --features otlp`, or remove the section";
        table.discard("is for a program that can send spans, and this one was built without that", help);
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::config::Config;

    fn parse(section: &str) -> Result<Config, String> {
        let text = format!(
            "{section}\n[upstream.main]\naddress = 'simulator'\n[[account]]\nsystem_id = 'shop'\n\
             default_purpose = 'transactional'\n"
        );
        Config::parse(&text, "config.toml", Path::new("")).map_err(|faults| faults.to_string())
    }

    #[cfg(feature = "otlp")]
    #[test]
    fn the_collector_is_a_url() {
        assert_eq!(parse("").unwrap().otlp_endpoint, None);
        for url in ["http://127.0.0.1:4318", "https://otel.example.net/prefix"] {
            let config = parse(&format!("[telemetry]\notlp_endpoint = '{url}'"));
            assert_eq!(config.unwrap().otlp_endpoint.as_deref(), Some(url));
        }
        for bad in ["127.0.0.1:4318", "grpc://collector:4317", "http://", "http:///v1", "http://me@host", "http://a b"]
        {
            let faults = parse(&format!("[telemetry]\notlp_endpoint = '{bad}'")).unwrap_err();
            assert!(faults.contains("config.toml:2:") && faults.contains("telemetry.otlp_endpoint"), "{faults}");
        }
        assert!(parse("[telemetry]\nendpoint = 'http://127.0.0.1:4318'").unwrap_err().contains("otlp_endpoint"));
    }

    #[cfg(not(feature = "otlp"))]
    #[test]
    fn who_asks_for_what_is_not_built_is_told_how_to_build_it() {
        let faults = parse("[telemetry]\notlp_endpoint = 'http://127.0.0.1:4318'").unwrap_err();
        assert!(faults.contains("config.toml:1:") && faults.contains("--features otlp"), "{faults}");
        assert_eq!(faults.lines().count(), 1, "{faults}");
    }
}
