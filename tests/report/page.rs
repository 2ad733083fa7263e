//! The page that anybody gets, and what it says of what was typed.

use super::*;

#[tokio::test]
async fn anybody_gets_the_form_in_their_language_and_nothing_else() {
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    for (path, headers, language, title) in [
        ("/report", "", "en", "Report a text message"),
        ("/report", "accept-language: nl-BE, en;q=0.5\r\n", "nl", "Een sms-bericht melden"),
        ("/report", "accept-language: fr\r\n", "fr", "Signaler un SMS"),
        ("/report?lang=de", "accept-language: fr\r\n", "de", "Eine SMS melden"),
    ] {
        let said = desk.get(path, headers).await;
        assert_eq!((said.status, said.header("content-language")), (200, Some(language)), "{path} {headers}");
        assert!(said.page.contains(&format!("<html lang=\"{language}\">")), "{}", said.page);
        assert!(said.page.contains(title) && said.page.contains("Wire &#38; Sons"), "{}", said.page);
        assert!(said.page.contains("<a href=\"mailto:abuse@example.net\">"), "{}", said.page);
        // Each field has its label and its hint, and nothing comes from elsewhere.
        for field in ["number", "when", "sender", "text"] {
            for part in [
                format!("<label for=\"{field}\">"),
                format!("id=\"{field}\" name=\"{field}\""),
                format!("aria-describedby=\"{field}-hint\""),
            ] {
                assert!(said.page.contains(&part), "{part} is not in {}", said.page);
            }
        }
        for none in ["<script", "src=", "http://", "https://", "@import", "url("] {
            assert!(!said.page.contains(none), "{none}: {}", said.page);
        }
        let policy = said.header("content-security-policy").unwrap();
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.ends_with("; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"), "{policy}");
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "same-origin"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
            ("connection", "close"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(said.header(name), Some(value), "{}", said.head);
        }
    }
    for path in
        ["/", "/v1/complaints", "/v1/openapi.json", "/healthz", "/readyz", "/report/1", "/report/../v1/accounts"]
    {
        let said = desk.get(path, "").await;
        assert_eq!((said.status, said.header("x-content-type-options")), (404, Some("nosniff")), "{path}");
        assert!(said.page.contains("There is nothing here."), "{path}: {}", said.page);
    }
    let said = ask(desk.address, 1, "DELETE /report HTTP/1.1\r\nhost: desk\r\n\r\n").await;
    assert_eq!((said.status, said.header("allow")), (405, Some("GET,HEAD,POST")), "{}", said.head);
    desk.close().await.stop().await;
}

#[tokio::test]
async fn the_style_of_the_page_is_the_one_that_its_policy_allows() {
    use base64::Engine;
    use sha2::Digest;
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    let said = desk.get("/report", "").await;
    let style = said.page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
    let hash = base64::prelude::BASE64_STANDARD.encode(sha2::Sha256::digest(style));
    let policy = said.header("content-security-policy").unwrap();
    assert!(policy.contains(&format!("'sha256-{hash}'")), "{policy} {hash}");
    desk.close().await.stop().await;
}

#[tokio::test]
async fn what_is_wrong_is_said_and_what_was_typed_is_kept() {
    let desk = Desk::open(Smsc::listen().await.address(), "reports_per_address = 1").await;
    let hostile = "\"><script>alert('1')</script></textarea>&";
    let fields = [("number", hostile), ("when", hostile), ("sender", hostile), ("text", hostile)];
    for _ in 0..3 {
        let said = desk.send(1, "accept-language: de\r\n", &fields).await;
        assert_eq!(said.status, 422, "what is no report counts against nobody");
        let escaped = "&#34;&#62;&#60;script&#62;alert(&#39;1&#39;)&#60;/script&#62;&#60;/textarea&#62;&#38;";
        assert_eq!(said.page.matches(escaped).count(), 4, "{}", said.page);
        assert!(!said.page.contains("<script"), "{}", said.page);
        assert!(said.page.contains("<title>Fehler: ") && said.page.contains("role=\"alert\""), "{}", said.page);
        for field in ["number", "when"] {
            let described = format!("aria-describedby=\"{field}-hint {field}-fault\" aria-invalid=\"true\"");
            assert!(
                said.page.contains(&described) && said.page.contains(&format!("id=\"{field}-fault\"")),
                "{}",
                said.page
            );
        }
        assert!(!said.page.contains("sender-fault") && !said.page.contains("text-fault"), "{}", said.page);
    }
    let said = ask(desk.address, 1, &post("", &[])).await;
    assert_eq!((said.status, said.page.matches("aria-invalid").count()), (422, 3 + 1), "one is of the style");
    let said = desk.send(1, "", &[("number", "0470 12 34 56"), ("when", &now()), ("text", "x")]).await;
    assert_eq!((said.status, said.page.matches("aria-invalid=\"true\"").count()), (422, 1));
    assert!(said.page.contains("with its country code"), "{}", said.page);
    assert_eq!(desk.cases().await, 0);
    desk.close().await.stop().await;
}
