#!/usr/bin/perl
# Sends $MESSAGE with Perl's Email::MIME and Email::Sender, as their documentation shows.
use strict;
use warnings;
use Email::MIME;
use Email::Sender::Simple qw(sendmail);
use Email::Sender::Transport::SMTP;
use JSON::PP;

sub contents {
    my ($path) = @_;
    open(my $file, '<:raw', $path) or die "$path: $!";
    local $/;
    return <$file>;
}

my $given = decode_json(contents($ENV{MESSAGE}));

sub mailboxes {
    return join ', ', map { $_->{name} ? qq("$_->{name}" <$_->{address}>) : $_->{address} } @_;
}

sub text_part {
    my ($type, $text) = @_;
    return Email::MIME->create(
        attributes => {
            content_type => $type, charset => 'UTF-8', encoding => 'quoted-printable'
        },
        body_str => $text,
    );
}

sub file_part {
    my ($entry, $disposition) = @_;
    my $part = Email::MIME->create(
        attributes => {
            content_type => $entry->{type}, encoding => 'base64', name => $entry->{name},
            filename => $entry->{name}, disposition => $disposition,
        },
        body => contents($entry->{path}),
    );
    $part->header_set('Content-ID', "<$entry->{content_id}>") if $entry->{content_id};
    return $part;
}

my @parts = (text_part('text/plain', $given->{text}));
if ($given->{html}) {
    my $related = Email::MIME->create(
        attributes => { content_type => 'multipart/related' },
        parts => [
            text_part('text/html', $given->{html}), file_part($given->{inline}, 'inline')
        ],
    );
    @parts = Email::MIME->create(
        attributes => { content_type => 'multipart/alternative' }, parts => [ @parts, $related ],
    );
}
my @headers = (
    From => mailboxes($given->{from}),
    To => mailboxes(@{ $given->{to} }),
    'Reply-To' => $given->{reply_to},
    Subject => $given->{subject},
    %{ $given->{headers} },
);
push @headers, Cc => mailboxes(@{ $given->{cc} }) if @{ $given->{cc} };
my $email = Email::MIME->create(
    header_str => \@headers,
    attributes => { content_type => 'multipart/mixed' },
    parts => [ @parts, map { file_part($_, 'attachment') } @{ $given->{attachments} } ],
);
my $transport = Email::Sender::Transport::SMTP->new({
    host => $ENV{SMTP_HOST},
    port => $ENV{SMTP_PORT},
    ssl => $ENV{SMTP_TLS} eq 'tls' ? 'ssl' : 'starttls',
    ssl_options => { SSL_ca_file => $ENV{SSL_CERT_FILE} },
    $ENV{SMTP_USER}
        ? (sasl_username => $ENV{SMTP_USER}, sasl_password => $ENV{SMTP_KEY}) : (),
});
my @to = map { $_->{address} } map { @{ $given->{$_} } } qw(to cc bcc);
eval { sendmail($email, { transport => $transport, from => $given->{from}{address}, to => \@to }) };
if ($@) {
    print STDERR "$@\n";
    exit 1;
}
