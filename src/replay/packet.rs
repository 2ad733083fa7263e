//! A captured packet as a segment of a TCP connection. Judges no checksum: a machine's own packets are captured before the
//! network card has written them.

use std::net::{IpAddr, SocketAddr};

use etherparse::{EtherType, LaxNetSlice, LaxSlicedPacket, TcpSlice, TransportSlice};
use pcap_parser::Linktype;

use super::capture::Packet;

/// BSD's numbers of raw IP, which is 101 in files.
const RAW_BSD: [i32; 2] = [12, 14];
/// Octets of the header of Linux cooked captures, by version.
const COOKED: usize = 16;
const COOKED_2: usize = 20;
/// Octets of the header of loopback captures: the address family.
const FAMILY: usize = 4;

/// A segment of a TCP connection.
#[derive(Debug, Clone, Copy)]
pub(super) struct Segment<'a> {
    pub(super) from: SocketAddr,
    pub(super) to: SocketAddr,
    pub(super) sequence: u32,
    pub(super) syn: bool,
    pub(super) fin: bool,
    pub(super) rst: bool,
    pub(super) ack: bool,
    /// Its octets, as many as were captured.
    pub(super) payload: &'a [u8],
    /// How many more it had.
    pub(super) missing: u32,
}

/// Why a packet is no segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoSegment {
    /// Its link is of a kind that is not known here.
    Link,
    /// It is something else.
    Other,
    /// It is a fragment of an IP packet, or was cut within its headers.
    Cut,
}

impl<'a> Segment<'a> {
    pub(super) fn of(packet: &Packet<'a>) -> Result<Self, NoSegment> {
        let octets = packet.octets;
        let behind = |header: usize| octets.get(header..).ok_or(NoSegment::Cut);
        let ether_type = |at: usize| {
            let octets = octets.get(at..at + 2).and_then(|octets| octets.try_into().ok());
            octets.map(|octets| EtherType(u16::from_be_bytes(octets))).ok_or(NoSegment::Cut)
        };
        let of_ip = |octets| LaxSlicedPacket::from_ip(octets).map_err(|_| NoSegment::Cut);
        let sliced = match packet.link {
            Linktype::ETHERNET => LaxSlicedPacket::from_ethernet(octets).map_err(|_| NoSegment::Cut)?,
            Linktype::LINUX_SLL => LaxSlicedPacket::from_ether_type(ether_type(COOKED - 2)?, behind(COOKED)?),
            Linktype::LINUX_SLL2 => LaxSlicedPacket::from_ether_type(ether_type(0)?, behind(COOKED_2)?),
            Linktype::NULL | Linktype::LOOP => of_ip(behind(FAMILY)?)?,
            Linktype::RAW | Linktype::IPV4 | Linktype::IPV6 => of_ip(octets)?,
            Linktype(raw) if RAW_BSD.contains(&raw) => of_ip(octets)?,
            _ => return Err(NoSegment::Link),
        };
        Self::of_sliced(&sliced)
    }

    fn of_sliced(sliced: &LaxSlicedPacket<'a>) -> Result<Self, NoSegment> {
        let net = sliced.net.as_ref().ok_or(NoSegment::Other)?;
        let ip = sliced.ip_payload().ok_or(NoSegment::Other)?;
        let tcp = match &sliced.transport {
            Some(TransportSlice::Tcp(tcp)) => tcp,
            Some(_) => return Err(NoSegment::Other),
            None if ip.fragmented || ip.ip_number == etherparse::IpNumber::TCP => return Err(NoSegment::Cut),
            None => return Err(NoSegment::Other),
        };
        let (from, to, declared, captured) = match net {
            LaxNetSlice::Ipv4(ip) => {
                let header = ip.header();
                let captured = header.slice().len() + ip.payload().payload.len();
                let declared = usize::from(header.total_len());
                (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()), declared, captured)
            }
            LaxNetSlice::Ipv6(ip) => {
                let header = ip.header();
                let captured = ip.extensions().slice().len() + ip.payload().payload.len();
                let declared = usize::from(header.payload_length());
                (IpAddr::from(header.source_addr()), IpAddr::from(header.destination_addr()), declared, captured)
            }
            LaxNetSlice::Arp(_) => return Err(NoSegment::Other),
        };
        let missing = if ip.incomplete { declared.saturating_sub(captured) as u32 } else { 0 };
        Ok(Self::of_tcp(tcp, (from, to), missing))
    }

    fn of_tcp(tcp: &TcpSlice<'a>, (from, to): (IpAddr, IpAddr), missing: u32) -> Self {
        Self {
            from: SocketAddr::new(from, tcp.source_port()),
            to: SocketAddr::new(to, tcp.destination_port()),
            sequence: tcp.sequence_number(),
            syn: tcp.syn(),
            fin: tcp.fin(),
            rst: tcp.rst(),
            ack: tcp.ack(),
            payload: tcp.slice().get(tcp.header_len()..).unwrap_or_default(),
            missing,
        }
    }
}
