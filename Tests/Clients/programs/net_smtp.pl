#!/usr/bin/perl
# Sends the message in $MESSAGE_FILE with Perl's Net::SMTP, as its documentation shows. It composes
# nothing: the message is given as it is.
use strict;
use warnings;
use Authen::SASL qw(Perl);
use JSON::PP;
use Net::SMTP;

sub contents {
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!";
    local $/;
    return <$file>;
}

my $given = decode_json(contents($ENV{MESSAGE}));
my $smtp = Net::SMTP->new(
    $ENV{SMTP_HOST},
    Port          => $ENV{SMTP_PORT},
    SSL           => $ENV{SMTP_TLS} eq 'tls',
    SSL_ca_file   => $ENV{SSL_CERT_FILE},
) or die "connect: $@";

sub check {
    my ($ok) = @_;
    return if $ok;
    print STDERR $smtp->code, ' ', $smtp->message;
    exit 1;
}

check($smtp->starttls(SSL_ca_file => $ENV{SSL_CERT_FILE})) if $ENV{SMTP_TLS} eq 'starttls';
# One mechanism is asked for by name; without, Authen::SASL chooses of those that the relay has.
my @login = $ENV{SMTP_AUTH}
    ? (Authen::SASL->new(
        mechanism => $ENV{SMTP_AUTH},
        callback => { user => $ENV{SMTP_USER}, pass => $ENV{SMTP_KEY}, authname => '' },
    ))
    : ($ENV{SMTP_USER}, $ENV{SMTP_KEY});
check($smtp->auth(@login)) if $ENV{SMTP_USER};
check($smtp->mail($given->{from}{address}));
check($smtp->to(map { $_->{address} } map { @{ $given->{$_} } } qw(to cc bcc)));
check($smtp->data());
check($smtp->datasend(contents($ENV{MESSAGE_FILE})));
check($smtp->dataend());
$smtp->quit();
