#!/usr/bin/perl
# Perl's Net::SMPP as ESME: `netsmpp_client.pl HOST PORT SCENARIO`; reports as clients/report.py tells.
use strict;
use warnings;
use IO::Select;
use JSON::PP;
use Net::SMPP;
use Time::HiRes qw(sleep time);

$| = 1;
my ($host, $port, $scenario) = @ARGV;
my %env = map { /^PEER_(.*)/ ? ($1 => $ENV{$_}) : () } keys %ENV;

sub say_step { my ($step, %seen) = @_; print encode_json({ step => $step, %seen }), "\n" }

sub step {
    my ($name, $work) = @_;
    my %seen = eval { $work->() };
    say_step($name, $@ ? (error => "$@") : %seen);
}

# Asynchronous, as an application with receipts has to use Net::SMPP: what comes is sorted here.
sub connect_esme {
    my $smpp = Net::SMPP->new_connect($host, port => $port, async => 1, smpp_version => 0x34)
        or die "cannot connect: $!";
    return { smpp => $smpp, answers => {}, delivered => [] };
}

sub read_one {
    my ($esme, $end) = @_;
    my $left = $end - time;
    IO::Select->new($esme->{smpp})->can_read($left > 0 ? $left : 0) or die "no answer in time\n";
    my $pdu = $esme->{smpp}->read_pdu or return 0;
    if    ($pdu->{cmd} & 0x80000000) { $esme->{answers}{ $pdu->{seq} } = $pdu }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_enquire_link) { $esme->{smpp}->enquire_link_resp(seq => $pdu->{seq}) }
    elsif ($pdu->{cmd} == Net::SMPP::CMD_deliver_sm) {
        $esme->{smpp}->deliver_sm_resp(seq => $pdu->{seq}, message_id => '');
        push @{ $esme->{delivered} }, $pdu;
    }
    return 1;
}

sub until_done {
    my ($esme, $done) = @_;
    my $end = time + $env{WAIT};
    while (1) {
        my $found = $done->();
        return $found if $found;
        read_one($esme, $end) or die "the link was closed\n";
    }
}

sub answer {
    my ($esme, $seq) = @_;
    return until_done($esme, sub { $esme->{answers}{$seq} });
}

# The next deliver_sm that is a receipt, or the next that is a message.
sub deliver {
    my ($esme, $receipt) = @_;
    return until_done($esme, sub {
        my $all = $esme->{delivered};
        my ($at) = grep { !!($all->[$_]{esm_class} & 0x3C) == !!$receipt } 0 .. $#$all;
        return defined $at ? splice @$all, $at, 1 : undef;
    });
}

sub bind_as {
    my ($esme, $mode) = @_;
    my $command = "bind_$mode";
    my $seq = $esme->{smpp}->$command(system_id => $env{SYSTEM_ID}, password => $env{PASSWORD});
    return (status => answer($esme, $seq)->{status});
}

sub submit {
    my ($esme, $sender, $text, %fields) = @_;
    return $esme->{smpp}->submit_sm(
        source_addr_ton => 5, source_addr_npi => 0, source_addr => $sender,
        dest_addr_ton => 1, dest_addr_npi => 1, destination_addr => delete $fields{destination_addr} // $env{TO},
        short_message => $text, %fields,
    );
}

sub submitted {
    my $pdu = answer($_[0], submit(@_));
    return (status => $pdu->{status}, message_id => $pdu->{message_id});
}

sub offer {
    my ($esme, $to) = @_;
    return submitted($esme, $env{OFFERER}, $env{OFFER}, destination_addr => $to);
}

sub heard {
    my ($esme) = @_;
    say_step('listening');
    return (text => deliver($esme, 0)->{short_message});
}

sub lost {
    my ($esme) = @_;
    say_step('up');
    step('lost', sub {
        my $end = time + $env{WAIT};
        1 while read_one($esme, $end);
        return (closed => JSON::PP::true);
    });
}

sub statuses {
    my ($esme, @sent) = @_;
    return (statuses => [map { answer($esme, $_)->{status} } @sent]);
}

sub unbind {
    my ($esme) = @_;
    my $pdu = answer($esme, $esme->{smpp}->unbind);
    close $esme->{smpp};
    return (status => $pdu->{status});
}

sub receipt_and_mo {
    my ($sending, $receiving) = @_;
    step('submit', sub { submitted($sending, $env{SENDER}, $env{TEXT}, registered_delivery => 1) });
    step('receipt', sub {
        my $pdu = deliver($receiving, 1);
        return (esm_class => $pdu->{esm_class}, text => $pdu->{short_message});
    });
    step('mo', sub {
        submitted($sending, $env{SENDER}, $env{CALL});
        return (text => deliver($receiving, 0)->{short_message});
    });
}

my %scenarios = (
    transceiver => sub {
        my $esme = connect_esme();
        step('bind', sub { bind_as($esme, 'transceiver') });
        receipt_and_mo($esme, $esme);
        step('long', sub {
            my @chunks = $env{LONG} =~ /.{1,153}/g;
            my $number = 0;
            return statuses($esme, map {
                submit($esme, $env{SENDER}, pack('C6', 5, 0, 3, 7, scalar @chunks, ++$number) . $_, esm_class => 0x40)
            } @chunks);
        });
        step('ucs2', sub { submitted($esme, $env{SENDER}, pack('H*', $env{UCS2_HEX}), data_coding => 8) });
        step('enquire_link', sub { (status => answer($esme, $esme->{smpp}->enquire_link)->{status}) });
        step('refused', sub { submitted($esme, $env{STRANGER}, $env{TEXT}) });
        step('throttled', sub {
            statuses($esme, map { submit($esme, $env{BURSTER}, sprintf 'burst %02d', $_) } 1 .. $env{BURST});
        });
        sleep $env{PAUSE};
        step('later', sub { submitted($esme, $env{BURSTER}, 'burst late') });
        step('unbind', sub { unbind($esme) });
    },
    two_binds => sub {
        my ($sending, $receiving) = (connect_esme(), connect_esme());
        step('bind_transmitter', sub { bind_as($sending, 'transmitter') });
        step('bind_receiver', sub { bind_as($receiving, 'receiver') });
        receipt_and_mo($sending, $receiving);
        step('unbind_transmitter', sub { unbind($sending) });
        step('unbind_receiver', sub { unbind($receiving) });
    },
    loss => sub {
        my $esme = connect_esme();
        step('bind', sub { bind_as($esme, 'transceiver') });
        step('submit', sub { submitted($esme, $env{SENDER}, $env{TEXT}) });
        lost($esme);
    },
    stop => sub {
        my $esme = connect_esme();
        step('bind', sub { bind_as($esme, 'transceiver') });
        step('offer', sub { offer($esme, $env{TO}) });
        step('heard_stop', sub { heard($esme) });
        step('opted_out', sub { offer($esme, $env{TO}) });
        step('other', sub { offer($esme, $env{OTHER}) });
        lost($esme);
    },
    start => sub {
        my $esme = connect_esme();
        step('bind_again', sub { bind_as($esme, 'transceiver') });
        step('still_out', sub { offer($esme, $env{TO}) });
        step('heard_start', sub { heard($esme) });
        step('opted_in', sub { offer($esme, $env{TO}) });
        step('unbind', sub { unbind($esme) });
    },
);
$scenarios{$scenario}->();
