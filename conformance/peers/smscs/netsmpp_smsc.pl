#!/usr/bin/perl
# Perl's Net::SMPP as SMSC: prints `ready PORT`, then one JSON line per submit_sm;
# each JSON line on stdin is a message of a handset to deliver.
# What each SMSC here does is told in ../README.md.
use strict;
use warnings;
use Encode qw(decode);
use IO::Select;
use JSON::PP;
use Net::SMPP;
use Time::HiRes qw(sleep);

$| = 1;
my ($stranger, $call, $mo) = @ENV{qw(PEER_STRANGER PEER_CALL PEER_MO)};
my $server = Net::SMPP->new_listen('127.0.0.1', port => 0, smpp_version => 0x34) or die "cannot listen: $!";
my $sockets = IO::Select->new($server, \*STDIN);
my (%bound, %throttled);
my $messages = 0;
print 'ready ', $server->sockport, "\n";

# A receipt or message goes out on any session of that system_id that may receive.
sub receiver {
    my ($session) = @_;
    my $own = $bound{$session};
    return $session if $own->{mode} ne 'transmitter';
    my ($other) = grep { $_->{system_id} eq $own->{system_id} && $_->{mode} ne 'transmitter' } values %bound;
    return $other && $other->{session};
}

# What a handset writes goes out on any session that may receive.
sub from_handset {
    # Not by <STDIN>: its buffer is one that select does not see.
    sysread(STDIN, my $lines, 4096) or return $sockets->remove(\*STDIN);
    for my $said (map { decode_json($_) } split /\n/, $lines) {
        my ($to) = grep { $_->{mode} ne 'transmitter' } values %bound;
        next unless $to;
        $to->{session}->deliver_sm(
            async => 1,
            source_addr_ton => 1, source_addr_npi => 1, source_addr => $said->{source},
            dest_addr_ton => 5, dest_addr_npi => 0, destination_addr => $said->{destination},
            short_message => $said->{text},
        );
    }
}

sub status {
    my ($pdu, $text) = @_;
    return 0x0A if $pdu->{source_addr} eq $stranger;
    return 0x58 if $text =~ /^burst (\d+)$/ && $1 > 5 && !$throttled{$text}++;
    return 0;
}

sub submitted {
    my ($session, $pdu) = @_;
    # Net::SMPP gives the octets; header and alphabet are the application's.
    my $octets = $pdu->{short_message};
    my $udh = $pdu->{esm_class} & 0x40 ? substr($octets, 0, 1 + ord $octets, '') : undef;
    my $text = $pdu->{data_coding} == 8 ? decode('UTF-16BE', $octets) : $octets;
    my $status = status($pdu, $text);
    my $id = $status ? '' : sprintf 'p-%06x', ++$messages;
    print encode_json({
        event => 'submit', source => $pdu->{source_addr}, destination => $pdu->{destination_addr},
        data_coding => $pdu->{data_coding}, udh => defined $udh ? unpack('H*', $udh) : undef,
        text => $text, status => $status,
    }), "\n";
    $session->submit_sm_resp(seq => $pdu->{seq}, status => $status, message_id => $id);
    my $to = receiver($session);
    return if $status || !$to;
    my @back = (
        async => 1,
        source_addr_ton => $pdu->{dest_addr_ton}, source_addr_npi => $pdu->{dest_addr_npi},
        source_addr => $pdu->{destination_addr},
        dest_addr_ton => $pdu->{source_addr_ton}, dest_addr_npi => $pdu->{source_addr_npi},
        destination_addr => $pdu->{source_addr},
    );
    if ($pdu->{registered_delivery} & 1) {
        # Not before the answer is dealt with: on another bind it could overtake it.
        sleep 0.1;
        $to->deliver_sm(@back, esm_class => 0x04, receipted_message_id => "$id\0", message_state => "\x02",
            short_message => "id:$id sub:001 dlvrd:001 submit date:2601010000 done date:2601010000 stat:DELIVRD err:000 text:");
    }
    $to->deliver_sm(@back, short_message => $mo) if $text eq $call;
}

sub answer {
    my ($session, $pdu) = @_;
    my %bind = (0x01 => 'receiver', 0x02 => 'transmitter', 0x09 => 'transceiver');
    if (my $mode = $bind{$pdu->{cmd}}) {
        $bound{$session} = { session => $session, mode => $mode, system_id => $pdu->{system_id} };
        my $respond = "bind_${mode}_resp";
        $session->$respond(seq => $pdu->{seq}, system_id => 'perl-smsc');
    }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_submit_sm)    { submitted($session, $pdu) }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) { $session->enquire_link_resp(seq => $pdu->{seq}) }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_unbind) {
        $session->unbind_resp(seq => $pdu->{seq});
        drop($session);
    }
}

sub drop {
    my ($session) = @_;
    delete $bound{$session};
    $sockets->remove($session);
    close $session;
}

while (1) {
    for my $ready ($sockets->can_read) {
        if ($ready == $server) {
            my $session = $server->accept or next;
            $session->set_version(0x34);
            $sockets->add($session);
        }
        elsif ($ready == \*STDIN)          { from_handset() }
        elsif (my $pdu = $ready->read_pdu) { answer($ready, $pdu) }
        else                               { drop($ready) }
    }
}
