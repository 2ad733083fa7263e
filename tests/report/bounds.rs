//! What one client, another site or a slow one may not do.

use super::*;

#[tokio::test]
async fn one_client_sends_few_and_all_together_a_bounded_number() {
    let keys = "reports_per_address = 2\nreports_in_all = 5\ntrusted_proxies = ['127.0.0.9']";
    let desk = Desk::open(Smsc::listen().await.address(), keys).await;
    let send = async |from: u8, headers: &str, text: &str| {
        let said = desk.send(from, headers, &typed(RECIPIENT, &now(), text)).await;
        (said.status, said)
    };
    for text in ["one", "two"] {
        assert_eq!(send(1, "", text).await.0, 200);
    }
    // Nobody else is believed about who it is.
    let (status, said) = send(1, "x-forwarded-for: 192.0.2.7\r\n", "three <b>").await;
    assert_eq!(status, 429);
    let wait: u64 = said.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=1801).contains(&wait), "{wait}");
    assert!(
        said.page.contains("\nthree &#60;b&#62;</textarea>") && said.page.contains("from your network"),
        "{}",
        said.page
    );
    // Behind the proxy each has a share, and one network of IPv6 is one.
    for (forwarded, text, status) in [
        ("2001:db8::1", "four", 200),
        ("2001:db8::2", "five", 200),
        ("2001:db8::3", "six", 429),
        ("2001:db8:0:1::3, 127.0.0.9", "seven", 200),
        ("2001:db8:0:2::3", "eight", 503),
    ] {
        let (said, answer) = send(9, &format!("x-forwarded-for: {forwarded}\r\n"), text).await;
        assert_eq!(said, status, "{forwarded}: {}", answer.page);
        assert_eq!(answer.header("retry-after").is_some(), status != 200, "{forwarded}");
    }
    assert_eq!(desk.cases().await, 5);
    desk.close().await.stop().await;
}

#[tokio::test]
async fn other_sites_other_bodies_and_large_ones_are_refused() {
    let desk = Desk::open(Smsc::listen().await.address(), "").await;
    let (when, large) = (now(), "x".repeat(16 * 1024));
    let report = typed(RECIPIENT, &when, "no");
    for (headers, status) in [
        ("sec-fetch-site: cross-site\r\n", 403),
        ("sec-fetch-site: same-site\r\n", 403),
        ("origin: https://evil.example\r\n", 403),
        ("origin: null\r\n", 403),
        ("origin: http://desk\r\n", 200),
        ("sec-fetch-site: same-origin\r\norigin: http://desk\r\n", 200),
    ] {
        let said = desk.send(1, headers, &report).await;
        assert_eq!(said.status, status, "{headers}: {}", said.page);
        assert!(status == 200 || said.page.contains("sent from another site"), "{}", said.page);
    }
    let said = desk.send(1, "", &typed(RECIPIENT, &when, &large)).await;
    assert_eq!(said.status, 413);
    let chunked = format!(
        "POST /report HTTP/1.1\r\nhost: desk\r\n{FORM}transfer-encoding: chunked\r\n\r\n{:x}\r\n{large}\r\n10\r\n{}\r\n0\r\n\r\n",
        large.len(),
        "x".repeat(16)
    );
    assert_eq!(ask(desk.address, 1, &chunked).await.status, 413);
    for media_type in ["text/plain", "multipart/form-data; boundary=x", "application/json"] {
        let request = post("", &report).replace("application/x-www-form-urlencoded", media_type);
        let said = ask(desk.address, 1, &request).await;
        assert_eq!((said.status, said.header("x-content-type-options")), (415, Some("nosniff")), "{media_type}");
    }
    let many: String = (0..100).map(|line| format!("x-{line}: y\r\n")).collect();
    assert_eq!(desk.get("/report", &many).await.status, 431);
    let said =
        ask(desk.address, 1, &format!("GET /report HTTP/1.1\r\nhost: desk\r\nx: {}\r\n\r\n", "y".repeat(17_000))).await;
    assert_eq!(said.status, 431);
    assert_eq!(desk.cases().await, 1, "the same was sent twice");
    desk.close().await.stop().await;
}

#[tokio::test]
async fn slow_clients_are_let_go_and_one_takes_no_place_from_others() {
    let desk = Desk::open(Smsc::listen().await.address(), "max_connections = 5\nrequest_timeout = '3s'").await;
    let begin = async |from: u8, octets: &[u8]| {
        let mut connection = connect(desk.address, from).await;
        connection.write_all(octets).await.unwrap();
        connection
    };
    let ended = async |mut connection: TcpStream| {
        let mut rest = Vec::new();
        // Closed or reset, before anything was answered.
        let _read = soon(connection.read_to_end(&mut rest)).await;
        assert_eq!(rest, b"");
    };
    let unfinished = post("", &typed(RECIPIENT, &now(), "no"));
    let unfinished = &unfinished.as_bytes()[..unfinished.len() - 1];
    let slow = [
        begin(1, b"").await,
        begin(1, b"GET").await,
        begin(1, b"GET /report HTTP/1.1\r\nhost:").await,
        begin(1, unfinished).await,
    ];
    let is_open = |connection: &TcpStream| connection.try_read(&mut [0]).is_err_and(|error| error.kind() == WouldBlock);
    const PAGE: &str = "GET /report HTTP/1.1\r\nhost: desk\r\n\r\n";
    // More than a client may have: closed at once, while another is served.
    ended(begin(1, b"").await).await;
    assert_eq!(ask(desk.address, 2, PAGE).await.status, 200);
    assert!(is_open(&slow[0]), "nobody waited for its time to be up");
    // All places are taken: who comes then waits until one is free.
    let last = begin(2, b"").await;
    assert_eq!(ask(desk.address, 3, PAGE).await.status, 200);
    assert!(!is_open(&slow[0]), "there was no place before");
    for connection in slow.into_iter().chain([last]) {
        ended(connection).await;
    }
    assert_eq!(desk.get("/report", "").await.status, 200);
    assert_eq!(desk.cases().await, 0);
    desk.close().await.stop().await;
}
