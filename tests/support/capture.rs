//! Captures octet by octet: pcap and pcapng of either endianness, on several links, of TCP over IPv4 and IPv6.

use std::net::{IpAddr, SocketAddr};

/// A file's format.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Format {
    Pcap { big: bool, nanos: bool },
    PcapNg { big: bool },
}

/// What packets begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum On {
    Ethernet,
    Vlan,
    Cooked,
    Cooked2,
    Raw,
    Loopback,
}

/// A capture that grows.
#[derive(Debug, Clone)]
pub(crate) struct Capture {
    pub(crate) octets: Vec<u8>,
    format: Format,
    on: On,
    /// Octets of a packet that are captured.
    pub(crate) snaplen: usize,
}

pub(crate) const FIN: u8 = 0x01;
pub(crate) const SYN: u8 = 0x02;
pub(crate) const RST: u8 = 0x04;
pub(crate) const ACK: u8 = 0x10;

impl Capture {
    pub(crate) fn new(format: Format, on: On) -> Self {
        let mut capture = Self { octets: Vec::new(), format, on, snaplen: 262_144 };
        capture.header();
        capture
    }

    /// What everything but the format is tested with.
    pub(crate) fn plain() -> Self {
        Self::new(Format::Pcap { big: false, nanos: true }, On::Ethernet)
    }

    fn u32(&mut self, value: u32) {
        let big = match self.format {
            Format::Pcap { big, .. } | Format::PcapNg { big } => big,
        };
        self.octets.extend(if big { value.to_be_bytes() } else { value.to_le_bytes() });
    }

    fn u16s(&mut self, [first, second]: [u16; 2]) {
        let big = match self.format {
            Format::Pcap { big, .. } | Format::PcapNg { big } => big,
        };
        for value in [first, second] {
            self.octets.extend(if big { value.to_be_bytes() } else { value.to_le_bytes() });
        }
    }

    fn header(&mut self) {
        let link = match self.on {
            On::Ethernet | On::Vlan => 1,
            On::Cooked => 113,
            On::Cooked2 => 276,
            On::Raw => 101,
            On::Loopback => 0,
        };
        match self.format {
            Format::Pcap { nanos, .. } => {
                self.u32(if nanos { 0xA1B2_3C4D } else { 0xA1B2_C3D4 });
                self.u16s([2, 4]);
                [0, 0, 262_144, link].into_iter().for_each(|word| self.u32(word));
            }
            Format::PcapNg { .. } => {
                // A section's header.
                [0x0A0D_0D0A, 28, 0x1A2B_3C4D].into_iter().for_each(|word| self.u32(word));
                self.u16s([1, 0]);
                [u32::MAX, u32::MAX, 28].into_iter().for_each(|word| self.u32(word));
                // An interface whose clock counts nanoseconds.
                [1, 32].into_iter().for_each(|word| self.u32(word));
                self.u16s([link as u16, 0]);
                self.u32(262_144);
                self.u16s([9, 1]);
                self.octets.extend([9, 0, 0, 0]);
                self.u16s([0, 0]);
                self.u32(32);
            }
        }
    }

    /// Adds an IP packet that came at this time, in nanoseconds since 1970.
    pub(crate) fn packet(&mut self, nanos: u64, ip: &[u8]) {
        let whole = self.on(ip);
        let length = whole.len() as u32;
        let octets = &whole[..whole.len().min(self.snaplen)];
        match self.format {
            Format::Pcap { nanos: fine, .. } => {
                let fraction = nanos % 1_000_000_000;
                let fraction = if fine { fraction } else { fraction / 1000 };
                let words = [(nanos / 1_000_000_000) as u32, fraction as u32, octets.len() as u32, length];
                words.into_iter().for_each(|word| self.u32(word));
                self.octets.extend_from_slice(octets);
            }
            Format::PcapNg { .. } => {
                let padded = octets.len().next_multiple_of(4);
                let block = 32 + padded as u32;
                let words = [6, block, 0, (nanos >> 32) as u32, nanos as u32, octets.len() as u32, length];
                words.into_iter().for_each(|word| self.u32(word));
                self.octets.extend_from_slice(octets);
                self.octets.resize(self.octets.len() + padded - octets.len(), 0);
                self.u32(block);
            }
        }
    }

    /// A packet as it is on the link.
    fn on(&self, ip: &[u8]) -> Vec<u8> {
        let is_v6 = ip[0] >> 4 == 6;
        let ether_type: [u8; 2] = if is_v6 { [0x86, 0xDD] } else { [0x08, 0] };
        let before: Vec<u8> = match self.on {
            On::Ethernet => [&[2; 12][..], &ether_type].concat(),
            On::Vlan => [&[2; 12][..], &[0x88, 0xA8, 0, 7, 0x81, 0, 0, 9], &ether_type].concat(),
            On::Cooked => [&[0, 0, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0][..], &ether_type].concat(),
            On::Cooked2 => [&ether_type[..], &[0, 0, 0, 0, 0, 2, 0, 1, 0, 6, 2, 2, 2, 2, 2, 2, 0, 0]].concat(),
            On::Raw => Vec::new(),
            On::Loopback => vec![if is_v6 { 30 } else { 2 }, 0, 0, 0],
        };
        let mut whole = [&before[..], ip].concat();
        // Ethernet has no shorter ones.
        if matches!(self.on, On::Ethernet) {
            whole.resize(whole.len().max(60), 0);
        }
        whole
    }

    /// Adds what one end sends.
    pub(crate) fn segment(&mut self, nanos: u64, segment: &Segment) {
        self.packet(nanos, &segment.ip());
    }
}

/// A TCP segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Segment {
    pub(crate) from: SocketAddr,
    pub(crate) to: SocketAddr,
    pub(crate) sequence: u32,
    pub(crate) flags: u8,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    /// The IP packet that carries it.
    pub(crate) fn ip(&self) -> Vec<u8> {
        let mut tcp = [self.from.port().to_be_bytes(), self.to.port().to_be_bytes()].concat();
        tcp.extend(self.sequence.to_be_bytes());
        // Acknowledged is nothing, the header is 20 octets and 12 of options, the window is large, and no checksum is right.
        tcp.extend([0, 0, 0, 0, 0x80, self.flags, 0xFF, 0xFF, 0, 0, 0, 0]);
        tcp.extend([1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2]);
        tcp.extend_from_slice(&self.payload);
        match (self.from.ip(), self.to.ip()) {
            (IpAddr::V4(from), IpAddr::V4(to)) => {
                let mut ip = vec![0x45, 0];
                ip.extend((20 + tcp.len() as u16).to_be_bytes());
                ip.extend([0, 1, 0x40, 0, 64, 6, 0, 0]);
                [&ip[..], &from.octets(), &to.octets(), &tcp].concat()
            }
            (IpAddr::V6(from), IpAddr::V6(to)) => {
                let mut ip = vec![0x60, 0, 0, 0];
                ip.extend((tcp.len() as u16).to_be_bytes());
                ip.extend([6, 64]);
                [&ip[..], &from.octets(), &to.octets(), &tcp].concat()
            }
            _ => panic!("both ends have the same IP"),
        }
    }
}

/// Who speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Esme,
    Smsc,
}

/// Both ends of a connection, as far as they have come.
#[derive(Debug, Clone)]
pub(crate) struct Conversation {
    ends: [SocketAddr; 2],
    next: [u32; 2],
}

impl Conversation {
    /// Close to where sequence numbers begin anew.
    pub(crate) fn new(esme: &str, smsc: &str) -> Self {
        Self { ends: [esme.parse().unwrap(), smsc.parse().unwrap()], next: [0xFFFF_FF00, 77] }
    }

    fn segment(&mut self, end: End, flags: u8, payload: &[u8]) -> Segment {
        let (from, to) = (self.ends[end as usize], self.ends[1 - end as usize]);
        let sequence = self.next[end as usize];
        let counts = payload.len() as u32 + u32::from(flags & (SYN | FIN) != 0);
        self.next[end as usize] = sequence.wrapping_add(counts);
        Segment { from, to, sequence, flags, payload: payload.to_vec() }
    }

    pub(crate) fn open(&mut self) -> [Segment; 2] {
        [self.segment(End::Esme, SYN, b""), self.segment(End::Smsc, SYN | ACK, b"")]
    }

    pub(crate) fn say(&mut self, end: End, octets: &[u8]) -> Segment {
        self.segment(end, ACK, octets)
    }

    pub(crate) fn close(&mut self, end: End) -> Segment {
        self.segment(end, ACK | FIN, b"")
    }
}
