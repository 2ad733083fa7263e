//! A capture's file, pcap or pcapng, packet by packet. Keeps one buffer, however long the file is; never looks into a packet.

use std::io::Read;

use pcap_parser::traits::PcapReaderIterator;
use pcap_parser::{Block, InterfaceDescriptionBlock, Linktype, PcapBlockOwned, PcapError, create_reader};

/// What the buffer begins with, in octets: more than nearly all packets have.
const BUFFER: usize = 1 << 20;
/// What it may grow to. No packet, and no block about names or keys, has more.
const LARGEST: usize = 64 << 20;
/// The obsolete Packet Block of pcapng.
const OBSOLETE_PACKET: u32 = 2;
/// What a pcap's link type has of flags and lengths, in its upper octet.
const LINK: i32 = 0x00FF_FFFF;

/// One packet, where it lies in the buffer.
#[derive(Debug, Clone, Copy)]
pub struct Packet<'a> {
    /// Its number in the file, from 1.
    pub number: u64,
    /// When it was captured, in nanoseconds since 1970-01-01T00:00:00Z.
    pub nanos: u64,
    /// What its octets begin with.
    pub link: Linktype,
    /// Its octets, as many as were captured.
    pub octets: &'a [u8],
}

/// What a file holds beside packets that can be given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Packets that were given.
    pub packets: u64,
    /// Packets of which the file does not say when they came, or on what link: they were not given.
    pub untold: u64,
}

/// Why a file, or what follows of it, is no capture.
#[derive(Debug, thiserror::Error)]
#[error("octet {offset}: {what}")]
pub struct Broken {
    /// The octet of the file at which it is so.
    pub offset: usize,
    /// What is wrong there.
    pub what: String,
}

/// An interface of a pcapng, or that of a pcap.
#[derive(Debug, Clone, Copy)]
struct Interface {
    link: Linktype,
    /// Units of its clock in a second.
    resolution: u64,
    /// What its times are later than they say, in seconds.
    offset: i64,
}

impl Interface {
    fn of(block: &InterfaceDescriptionBlock<'_>) -> Option<Self> {
        let resolution = block.ts_resolution().filter(|resolution| *resolution > 0)?;
        Some(Self { link: block.linktype, resolution, offset: block.if_tsoffset })
    }

    /// Nanoseconds since 1970 of so many of its units.
    fn nanos(&self, units: u64) -> u64 {
        let nanos = u128::from(units) * 1_000_000_000 / u128::from(self.resolution);
        let nanos = i128::try_from(nanos).unwrap_or(i128::MAX).saturating_add(i128::from(self.offset) * 1_000_000_000);
        u64::try_from(nanos.max(0)).unwrap_or(u64::MAX)
    }
}

/// Gives every packet of the capture `from` to `each`, in the file's order.
///
/// # Errors
/// [`Broken`], when what was readable before it has been given.
pub fn read(from: impl Read + Send, mut each: impl FnMut(Packet<'_>)) -> (Count, Result<(), Broken>) {
    let mut file = File { interfaces: Vec::new(), count: Count::default(), room: BUFFER };
    let mut reader = match create_reader(BUFFER, from) {
        Ok(reader) => reader,
        Err(PcapError::Eof | PcapError::Incomplete(_)) => {
            return (file.count, Err(broken(0, "the file is too short to be a capture")));
        }
        Err(PcapError::HeaderNotRecognized) => {
            return (
                file.count,
                Err(broken(0, "is neither a pcap nor a pcapng: it begins with no magic number of either")),
            );
        }
        Err(_) => return (file.count, Err(broken(0, "the file's header cannot be read"))),
    };
    let ended = file.blocks(&mut *reader, &mut each);
    (file.count, ended)
}

fn broken(offset: usize, what: &str) -> Broken {
    Broken { offset, what: what.to_owned() }
}

/// What has been read of a file.
struct File {
    interfaces: Vec<Option<Interface>>,
    count: Count,
    /// Octets that the buffer holds.
    room: usize,
}

impl File {
    fn blocks(&mut self, reader: &mut dyn PcapReaderIterator, each: &mut impl FnMut(Packet<'_>)) -> Result<(), Broken> {
        loop {
            let offset = reader.consumed();
            let length = match reader.next() {
                Ok((length, block)) => {
                    self.block(&block, each);
                    length
                }
                Err(PcapError::Eof) => return Ok(()),
                Err(PcapError::Incomplete(_)) => {
                    self.more(reader, offset)?;
                    continue;
                }
                Err(PcapError::BufferTooSmall) => {
                    self.grow(reader, offset)?;
                    continue;
                }
                Err(PcapError::UnexpectedEof) => return Err(broken(offset, "the file ends within a packet or block")),
                Err(PcapError::ReadError) => return Err(broken(offset, "the file cannot be read on")),
                Err(_) => return Err(broken(offset, "is no packet and no block: what follows cannot be found")),
            };
            reader.consume(length);
        }
    }

    fn block(&mut self, block: &PcapBlockOwned<'_>, each: &mut impl FnMut(Packet<'_>)) {
        match block {
            PcapBlockOwned::LegacyHeader(header) => {
                let resolution = if header.is_nanosecond_precision() { 1_000_000_000 } else { 1_000_000 };
                let link = Linktype(header.network.0 & LINK);
                self.interfaces = vec![Some(Interface { link, resolution, offset: 0 })];
            }
            PcapBlockOwned::Legacy(packet) => {
                let units = self.interfaces.first().copied().flatten().map(|interface| {
                    u64::from(packet.ts_sec).saturating_mul(interface.resolution) + u64::from(packet.ts_usec)
                });
                self.packet(0, units, packet.data, each);
            }
            PcapBlockOwned::NG(Block::SectionHeader(_)) => self.interfaces.clear(),
            PcapBlockOwned::NG(Block::InterfaceDescription(block)) => self.interfaces.push(Interface::of(block)),
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let units = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
                let octets = packet.data.get(..packet.caplen as usize).unwrap_or(packet.data);
                self.packet(packet.if_id as usize, Some(units), octets, each);
            }
            PcapBlockOwned::NG(Block::SimplePacket(packet)) => self.packet(0, None, packet.data, each),
            PcapBlockOwned::NG(Block::Unknown(block)) if block.block_type == OBSOLETE_PACKET => self.count.untold += 1,
            PcapBlockOwned::NG(_) => {}
        }
    }

    fn packet(&mut self, interface: usize, units: Option<u64>, octets: &[u8], each: &mut impl FnMut(Packet<'_>)) {
        let (Some(Some(interface)), Some(units)) = (self.interfaces.get(interface), units) else {
            self.count.untold += 1;
            return;
        };
        self.count.packets += 1;
        let number = self.count.packets + self.count.untold;
        each(Packet { number, nanos: interface.nanos(units), link: interface.link, octets });
    }

    /// Reads on; a buffer that is full grows.
    fn more(&mut self, reader: &mut dyn PcapReaderIterator, offset: usize) -> Result<(), Broken> {
        let before = reader.data().len();
        if reader.refill().is_err() {
            return Err(broken(offset, "the file cannot be read on"));
        }
        let is_stuck = reader.data().len() == before && !reader.reader_exhausted();
        if is_stuck { self.grow(reader, offset) } else { Ok(()) }
    }

    fn grow(&mut self, reader: &mut dyn PcapReaderIterator, offset: usize) -> Result<(), Broken> {
        self.room *= 2;
        if self.room <= LARGEST && reader.grow(self.room) && reader.refill().is_ok() {
            return Ok(());
        }
        Err(broken(offset, "a packet or block says that it has more octets than any may have (64 MiB)"))
    }
}
