//! The PROXY protocol, versions 1 and 2: the header in which a load balancer says whose connection it hands on.
//!
//! Parses borrowed bytes and never reads a socket, and never looks behind the header: what follows may be a bind or a
//! TLS hello. Whether the sender may be believed is for the caller to decide first. TLVs are skipped unread.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use nom::branch::alt;
use nom::bytes::complete::{tag, take, take_till1};
use nom::character::complete::char;
use nom::combinator::{all_consuming, map, map_opt, rest};
use nom::number::complete::{be_u8, be_u16, be_u32, be_u128};
use nom::sequence::preceded;
use nom::{IResult, Parser};

/// The longest version 1 header, its CR LF included, in octets.
pub const MAX_V1: usize = 107;

/// The longest version 2 header that is accepted, in octets: 16 fixed ones, and 2 KiB for addresses and TLVs. The
/// protocol would allow 64 KiB, but nobody is to make us hold so much before we know them.
pub const MAX_V2: usize = V2_FIXED + 2048;

const V1_SIGNATURE: &[u8] = b"PROXY ";
/// `PROXY UNKNOWN` and CR LF.
const V1_SHORTEST: usize = 15;
const V2_SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
const V2_FIXED: usize = 16;
/// Two paths of 108 octets.
const UNIX_ADDRESSES: usize = 216;

/// A whole header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Who connected to the proxy. `None` when the header names nobody that has an IP address and a TCP port (LOCAL,
    /// UNKNOWN, UNSPEC, datagrams, Unix sockets): the connection is then the peer's own.
    pub source: Option<SocketAddr>,
    /// Octets of the header; what follows is the connection's own.
    pub length: usize,
}

/// What the head of a connection holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parsed {
    /// A whole header.
    Whole(Header),
    /// The beginning of one, of which at least so many octets are needed in all; never more than [`MAX_V2`].
    Partial(usize),
}

/// Why a connection does not open with a header that can be believed. Nothing can be read from it then.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Neither version's signature.
    #[error("the connection does not open with a PROXY header: make the load balancer send one")]
    NoSignature,
    /// Version 1 without its CR LF where it should be.
    #[error("the PROXY v1 line has no CR LF within {MAX_V1} octets")]
    NoLineEnd,
    /// Version 1 that says something else than the protocol allows.
    #[error("the PROXY v1 line is not `PROXY TCP4|TCP6 source destination port port` nor `PROXY UNKNOWN`")]
    Line,
    /// Version 2's thirteenth octet.
    #[error("the PROXY v2 header has version and command {0:#04x}, expected 0x20 or 0x21")]
    Command(u8),
    /// Version 2's fourteenth octet.
    #[error("the PROXY v2 header has address family and protocol {0:#04x}, which the protocol does not define")]
    Family(u8),
    /// Version 2 that is too long for us.
    #[error("the PROXY v2 header declares {0} octets, more than {MAX_V2}: make the load balancer send fewer TLVs")]
    TooLong(usize),
    /// Version 2 whose length does not hold its addresses.
    #[error("the PROXY v2 header is shorter than the addresses of its family")]
    TooShort,
}

/// Reads the header that `bytes` open with.
///
/// # Errors
/// [`BadHeader`] as soon as the octets there cannot become a header.
pub fn parse(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    if begins(bytes, V2_SIGNATURE) && !bytes.is_empty() {
        parse_v2(bytes)
    } else if begins(bytes, V1_SIGNATURE) {
        parse_v1(bytes)
    } else {
        Err(BadHeader::NoSignature)
    }
}

/// Whether `bytes` agree with `signature` as far as both go.
fn begins(bytes: &[u8], signature: &[u8]) -> bool {
    bytes.iter().zip(signature).all(|(octet, expected)| octet == expected)
}

fn parse_v1(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    let within = bytes.get(..MAX_V1).unwrap_or(bytes);
    let Some(line_feed) = within.iter().position(|octet| *octet == b'\n') else {
        return match bytes.len() {
            length if length < MAX_V1 => Ok(Parsed::Partial(V1_SHORTEST.max(length + 1))),
            _ => Err(BadHeader::NoLineEnd),
        };
    };
    let line = within.get(..line_feed).and_then(|line| line.strip_suffix(b"\r")).ok_or(BadHeader::NoLineEnd)?;
    let (_, source) = all_consuming(v1_line).parse(line).map_err(|_| BadHeader::Line)?;
    Ok(Parsed::Whole(Header { source, length: line_feed + 1 }))
}

fn v1_line(line: &[u8]) -> IResult<&[u8], Option<SocketAddr>> {
    let v4 = preceded(tag("TCP4 "), v1_addresses(ascii::<Ipv4Addr>));
    let v6 = preceded(tag("TCP6 "), v1_addresses(ascii::<Ipv6Addr>));
    // whatever follows UNKNOWN is to be ignored
    let unknown = (tag("UNKNOWN"), alt((preceded(char(' '), rest), nom::combinator::eof)));
    preceded(tag(V1_SIGNATURE), alt((map(v4, Some), map(v6, Some), map(unknown, |_| None)))).parse(line)
}

fn v1_addresses<'a, A: Into<IpAddr>>(
    address: fn(&'a [u8]) -> IResult<&'a [u8], A>,
) -> impl Parser<&'a [u8], Output = SocketAddr, Error = nom::error::Error<&'a [u8]>> {
    let fields = (address, preceded(char(' '), address), preceded(char(' '), port), preceded(char(' '), port));
    map(fields, |(source, _, port, _)| SocketAddr::new(source.into(), port))
}

/// One field in the form that its type's `FromStr` takes.
fn ascii<A: std::str::FromStr>(input: &[u8]) -> IResult<&[u8], A> {
    map_opt(take_till1(|octet| octet == b' '), |field| std::str::from_utf8(field).ok()?.parse().ok()).parse(input)
}

/// A decimal port without sign or leading zeros.
fn port(input: &[u8]) -> IResult<&[u8], u16> {
    let digits = nom::bytes::complete::take_while_m_n(1, 5, |octet: u8| octet.is_ascii_digit());
    let text = nom::combinator::verify(digits, |field: &[u8]| field == b"0" || !field.starts_with(b"0"));
    map_opt(text, |field| std::str::from_utf8(field).ok()?.parse().ok()).parse(input)
}

fn parse_v2(bytes: &[u8]) -> Result<Parsed, BadHeader> {
    let Some((fixed, behind)) = bytes.split_at_checked(V2_FIXED) else { return Ok(Parsed::Partial(V2_FIXED)) };
    let (_, (_, command, family, declared)) =
        v2_fixed(fixed).map_err(|_: nom::Err<nom::error::Error<&[u8]>>| BadHeader::NoSignature)?;
    if !matches!(command, 0x20 | 0x21) {
        return Err(BadHeader::Command(command));
    }
    let length = V2_FIXED + usize::from(declared);
    if length > MAX_V2 {
        return Err(BadHeader::TooLong(length));
    }
    let Some(addresses) = behind.get(..usize::from(declared)) else { return Ok(Parsed::Partial(length)) };
    let source = if command == 0x20 { None } else { v2_source(family, addresses)? };
    Ok(Parsed::Whole(Header { source, length }))
}

fn v2_fixed(input: &[u8]) -> IResult<&[u8], (&[u8], u8, u8, u16)> {
    (tag(V2_SIGNATURE), be_u8, be_u8, be_u16).parse(input)
}

fn v2_source(family: u8, addresses: &[u8]) -> Result<Option<SocketAddr>, BadHeader> {
    let read: IResult<&[u8], Option<SocketAddr>> = match family {
        0x00 => Ok((addresses, None)),
        0x11 => v2_addresses(|input| map(be_u32, Ipv4Addr::from).parse(input)).map(Some).parse(addresses),
        0x21 => v2_addresses(|input| map(be_u128, Ipv6Addr::from).parse(input)).map(Some).parse(addresses),
        // a datagram's source says nothing about this TCP connection
        0x12 => take(12_usize).map(|_| None).parse(addresses),
        0x22 => take(36_usize).map(|_| None).parse(addresses),
        0x31 | 0x32 => take(UNIX_ADDRESSES).map(|_| None).parse(addresses),
        _ => return Err(BadHeader::Family(family)),
    };
    read.map(|(_tlvs, source)| source).map_err(|_| BadHeader::TooShort)
}

fn v2_addresses<'a, A: Into<IpAddr>>(
    address: fn(&'a [u8]) -> IResult<&'a [u8], A>,
) -> impl Parser<&'a [u8], Output = SocketAddr, Error = nom::error::Error<&'a [u8]>> {
    map((address, address, be_u16, be_u16), |(source, _, port, _)| SocketAddr::new(source.into(), port))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn v2(command: u8, family: u8, behind: &[u8]) -> Vec<u8> {
        let mut bytes = V2_SIGNATURE.to_vec();
        bytes.extend([command, family]);
        bytes.extend((behind.len() as u16).to_be_bytes());
        bytes.extend(behind);
        bytes
    }

    fn whole(source: Option<&str>, length: usize) -> Result<Parsed, BadHeader> {
        Ok(Parsed::Whole(Header { source: source.map(|source| source.parse().unwrap()), length }))
    }

    #[test]
    fn v1_lines() {
        for (line, source) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 2775\r\n", Some("192.0.2.7:56324")),
            ("PROXY TCP4 255.255.255.255 255.255.255.255 65535 65535\r\n", Some("255.255.255.255:65535")),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 0 0\r\n", Some("192.0.2.7:0")),
            ("PROXY TCP6 2001:db8::7 2001:db8::1 56324 2775\r\n", Some("[2001:db8::7]:56324")),
            ("PROXY TCP6 ::ffff:192.0.2.7 ::1 5 6\r\n", Some("[::ffff:192.0.2.7]:5")),
            ("PROXY UNKNOWN\r\n", None),
            ("PROXY UNKNOWN whatever 1 2\r\n", None),
        ] {
            for behind in ["", "\0\0\0\x2f\0\0\0\x09", "\x16\x03\x01", "\r\n"] {
                let bytes = format!("{line}{behind}");
                assert_eq!(parse(bytes.as_bytes()), whole(source, line.len()), "{bytes:?}");
            }
        }
    }

    #[test]
    fn v1_lines_that_are_none() {
        for (line, reason) in [
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 2775\n", BadHeader::NoLineEnd),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324\r\n", BadHeader::Line),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 56324 2775 \r\n", BadHeader::Line),
            ("PROXY TCP4  192.0.2.7 198.51.100.1 56324 2775\r\n", BadHeader::Line),
            ("PROXY TCP4 192.0.2.07 198.51.100.1 56324 2775\r\n", BadHeader::Line),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 +1 2775\r\n", BadHeader::Line),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 01 2775\r\n", BadHeader::Line),
            ("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2775\r\n", BadHeader::Line),
            ("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", BadHeader::Line),
            ("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", BadHeader::Line),
            ("PROXY TCP6 fe80::1%eth0 ::1 1 2\r\n", BadHeader::Line),
            ("PROXY UNKNOWNS\r\n", BadHeader::Line),
            ("PROXY UDP4 192.0.2.7 198.51.100.1 1 2\r\n", BadHeader::Line),
            ("PROXY \r\n", BadHeader::Line),
            ("PROXY\r\n", BadHeader::NoSignature),
            ("proxy TCP4 192.0.2.7 198.51.100.1 1 2\r\n", BadHeader::NoSignature),
            ("GET / HTTP/1.1\r\n", BadHeader::NoSignature),
            ("\0\0\0\x2f\0\0\0\x09", BadHeader::NoSignature),
            ("\x16\x03\x01", BadHeader::NoSignature),
        ] {
            assert_eq!(parse(line.as_bytes()), Err(reason), "{line:?}");
        }
    }

    #[test]
    fn a_v1_line_ends_within_107_octets() {
        let line = |length: usize| format!("PROXY UNKNOWN {:<1$}\r\n", "", length - 16);
        assert_eq!(parse(line(107).as_bytes()), whole(None, 107));
        assert_eq!(parse(line(108).as_bytes()), Err(BadHeader::NoLineEnd));
        assert_eq!(parse(&line(108).as_bytes()[..106]), Ok(Parsed::Partial(107)));
        assert_eq!(parse(&line(108).as_bytes()[..107]), Err(BadHeader::NoLineEnd));
    }

    #[test]
    fn v2_headers() {
        let v4 = [192, 0, 2, 7, 198, 51, 100, 1, 0xDC, 0x04, 0x0A, 0xD7];
        let mut v6 = [0; 36];
        v6[..4].copy_from_slice(&[0x20, 0x01, 0x0D, 0xB8]);
        v6[15] = 7;
        v6[32..].copy_from_slice(&[0xDC, 0x04, 0x0A, 0xD7]);
        let tlvs = |addresses: &[u8]| [addresses, &[0x03, 0, 4, 1, 2, 3, 4, 0x04, 0xFF]].concat();
        for (command, family, behind, source) in [
            (0x21, 0x11, v4.to_vec(), Some("192.0.2.7:56324")),
            (0x21, 0x11, tlvs(&v4), Some("192.0.2.7:56324")),
            (0x21, 0x21, v6.to_vec(), Some("[2001:db8::7]:56324")),
            (0x21, 0x21, tlvs(&v6), Some("[2001:db8::7]:56324")),
            (0x21, 0x12, v4.to_vec(), None),
            (0x21, 0x22, v6.to_vec(), None),
            (0x21, 0x31, vec![b'/'; 216], None),
            (0x21, 0x32, tlvs(&[b'/'; 216]), None),
            (0x21, 0x00, vec![], None),
            (0x21, 0x00, vec![1; 2048], None),
            (0x20, 0x00, vec![], None),
            (0x20, 0x11, v4.to_vec(), None),
            (0x20, 0xFF, vec![9; 3], None),
        ] {
            let header = v2(command, family, &behind);
            for behind in [&b""[..], b"\0\0\0\x2f\0\0\0\x09", b"\x16\x03\x01"] {
                let bytes = [&header, behind].concat();
                assert_eq!(parse(&bytes), whole(source, header.len()), "{bytes:x?}");
            }
        }
    }

    #[test]
    fn v2_headers_that_are_none() {
        for (header, reason) in [
            (v2(0x22, 0x11, &[0; 12]), BadHeader::Command(0x22)),
            (v2(0x11, 0x11, &[0; 12]), BadHeader::Command(0x11)),
            (v2(0x31, 0x11, &[0; 12]), BadHeader::Command(0x31)),
            (v2(0x21, 0x10, &[0; 12]), BadHeader::Family(0x10)),
            (v2(0x21, 0x41, &[0; 12]), BadHeader::Family(0x41)),
            (v2(0x21, 0x11, &[0; 11]), BadHeader::TooShort),
            (v2(0x21, 0x21, &[0; 35]), BadHeader::TooShort),
            (v2(0x21, 0x31, &[0; 215]), BadHeader::TooShort),
            (v2(0x21, 0x11, &[0; 2049]), BadHeader::TooLong(2065)),
            (v2(0x20, 0x00, &[0; 65535]), BadHeader::TooLong(65551)),
            (b"\r\n\r\nbye".to_vec(), BadHeader::NoSignature),
        ] {
            assert_eq!(parse(&header), Err(reason), "{header:x?}");
        }
        let long = v2(0x21, 0x11, &[0; 2049]);
        assert_eq!(parse(&long[..16]), Err(BadHeader::TooLong(2065)), "judged before the rest is awaited");
    }

    /// Every piece of a good header asks for more, never for more than there is to come, and then it is whole.
    fn comes_in_pieces(header: &[u8]) {
        for cut in 0..header.len() {
            let Ok(Parsed::Partial(needed)) = parse(&header[..cut]) else { panic!("{:x?}", &header[..cut]) };
            assert!((cut + 1..=header.len()).contains(&needed), "{cut} {needed}");
        }
        assert!(matches!(parse(header), Ok(Parsed::Whole(_))));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(source: (u128, u16), target: (u128, u16), v6: bool, tlvs in prop::collection::vec(any::<u8>(), 0..64)) {
            let address = |bits: u128| -> IpAddr {
                if v6 { Ipv6Addr::from(bits).into() } else { Ipv4Addr::from(bits as u32).into() }
            };
            let (from, to) = (address(source.0), address(target.0));
            let expected = Some(SocketAddr::new(from, source.1));

            let line = format!("PROXY {} {from} {to} {} {}\r\n", if v6 { "TCP6" } else { "TCP4" }, source.1, target.1);
            prop_assert_eq!(parse(line.as_bytes()), Ok(Parsed::Whole(Header { source: expected, length: line.len() })));
            comes_in_pieces(line.as_bytes());

            let mut behind = vec![];
            for address in [from, to] {
                match address {
                    IpAddr::V4(address) => behind.extend(address.octets()),
                    IpAddr::V6(address) => behind.extend(address.octets()),
                }
            }
            behind.extend(source.1.to_be_bytes());
            behind.extend(target.1.to_be_bytes());
            behind.extend(tlvs);
            let header = v2(0x21, if v6 { 0x21 } else { 0x11 }, &behind);
            prop_assert_eq!(parse(&header), Ok(Parsed::Whole(Header { source: expected, length: header.len() })));
            comes_in_pieces(&header);
        }

        #[test]
        fn no_octets_make_it_panic_or_overreach(start in prop::sample::select(vec![&b""[..], V1_SIGNATURE, V2_SIGNATURE, b"PROXY TCP4 ", b"PROXY TCP6 ", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0"]), random in prop::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [start, &random].concat();
            match parse(&bytes) {
                Ok(Parsed::Whole(header)) => prop_assert!(header.length <= bytes.len()),
                Ok(Parsed::Partial(needed)) => prop_assert!(needed > bytes.len() && needed <= MAX_V2),
                Err(_) => {}
            }
        }
    }
}
