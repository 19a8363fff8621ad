package main

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"net/netip"
	"strings"
	"testing"
)

// The headers of version 2 here are written by hand, after the pictures in
// section 2.2 of the specification.
const (
	sig2  = "\r\n\r\n\x00\r\nQUIT\n"
	from4 = "\xcb\x00\x71\x07\xc0\x00\x02\x01\x9c\x40\x01\xbb" // 203.0.113.7:40000 to 192.0.2.1:443
	from6 = "\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x07" +
		"\x20\x01\x0d\xb8\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x01\x9c\x40\x01\xbb"
	mapped = "\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xcb\x00\x71\x07" +
		"\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\xff\xff\xc0\x00\x02\x01\x9c\x40\x01\xbb"
)

// block2 is a header of version 2 with a command, a family and what follows.
func block2(command, family byte, rest string) string {
	return sig2 + string([]byte{command, family, byte(len(rest) >> 8), byte(len(rest))}) + rest
}

// tlv is one type, length and value.
func tlv(kind byte, value string) string {
	return string([]byte{kind, byte(len(value) >> 8), byte(len(value))}) + value
}

// summed fills in the checksum of a header that ends in its TLV.
func summed(header string) string {
	b := []byte(header)
	binary.BigEndian.PutUint32(b[len(b)-4:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

// goodPrefaces are whole headers, and the clients that they name.
var goodPrefaces = []struct{ name, header, client string }{
	{"v1 IPv4", "PROXY TCP4 203.0.113.7 192.0.2.1 40000 443\r\n", "203.0.113.7:40000"},
	{"v1 IPv4 shortest", "PROXY TCP4 1.1.1.1 1.1.1.1 0 0\r\n", "1.1.1.1:0"},
	{"v1 IPv6", "PROXY TCP6 2001:db8::7 2001:db8::1 40000 443\r\n", "[2001:db8::7]:40000"},
	{"v1 IPv6 longest", "PROXY TCP6 " + strings.Repeat("ffff:", 7) + "ffff " + strings.Repeat("ffff:", 7) + "ffff 65535 65535\r\n",
		"[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:65535"},
	{"v1 mapped", "PROXY TCP6 ::ffff:203.0.113.7 ::1 1 2\r\n", "203.0.113.7:1"},
	{"v1 unknown", "PROXY UNKNOWN\r\n", ""},
	{"v1 unknown with addresses", "PROXY UNKNOWN " + strings.Repeat("f", 91) + "\r\n", ""}, // 107 bytes
	{"v2 local", block2(0x20, 0x00, ""), ""},
	{"v2 local with a family", block2(0x20, 0x11, from4), ""},
	{"v2 local with no room for its family", block2(0x20, 0x11, ""), ""},
	{"v2 local with anything", block2(0x20, 0x00, "\x03\x00\x04junk!"), ""},
	{"v2 IPv4", block2(0x21, 0x11, from4), "203.0.113.7:40000"},
	{"v2 IPv4 of a datagram", block2(0x21, 0x12, from4), "203.0.113.7:40000"},
	{"v2 IPv6", block2(0x21, 0x21, from6), "[2001:db8::7]:40000"},
	{"v2 mapped", block2(0x21, 0x21, mapped), "203.0.113.7:40000"},
	{"v2 unix", block2(0x21, 0x31, "/run/a.sock"+strings.Repeat("\x00", 205)), ""},
	{"v2 unspecified", block2(0x21, 0x00, ""), ""},
	{"v2 unspecified with a TLV", block2(0x21, 0x00, tlv(0xea, "vpce")), ""},
	{"v2 TLVs", block2(0x21, 0x11, from4+tlv(0x04, "\x00\x00\x00")+tlv(0x02, "echo.example")+tlv(0x01, "")), "203.0.113.7:40000"},
	{"v2 longest", block2(0x21, 0x11, from4+tlv(0xe0, strings.Repeat("x", maxBlock2-15))), "203.0.113.7:40000"},
	{"v2 checksum", summed(block2(0x21, 0x11, from4+tlv(0x03, "\x00\x00\x00\x00"))), "203.0.113.7:40000"},
	{"v2 checksum and more", checksumFirst(), "203.0.113.7:40000"},
}

// checksumFirst is a header whose checksum covers a TLV behind it.
func checksumFirst() string {
	b := []byte(block2(0x21, 0x11, from4+tlv(0x03, "\x00\x00\x00\x00")+tlv(0x04, "")+tlv(0x05, "id")))
	binary.BigEndian.PutUint32(b[fixed2+12+3:], crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	return string(b)
}

// badPrefaces are refused, once they are whole or as long as that may take.
var badPrefaces = []struct{ name, header, want string }{
	{"nothing of it", "GET / HTTP/1.1\r\n", "no PROXY protocol header"},
	{"v1 in lower case", "proxy TCP4 1.1.1.1 1.1.1.1 1 2\r\n", "no PROXY protocol header"},
	{"v1 tab", "PROXY\tTCP4 1.1.1.1 1.1.1.1 1 2\r\n", "no PROXY protocol header"},
	{"v1 two spaces", "PROXY  TCP4 1.1.1.1 1.1.1.1 1 2\r\n", "proxyproto"},
	{"v1 no CR", "PROXY TCP4 1.1.1.1 1.1.1.1 1 2\n", "must end with"},
	{"v1 endless", "PROXY TCP4 " + strings.Repeat("1", 200), "too long"},
	{"v1 unknown endless", "PROXY UNKNOWN " + strings.Repeat("f", 92) + "\r\n", "too long"}, // 108 bytes
	{"v1 UDP", "PROXY UDP4 1.1.1.1 1.1.1.1 1 2\r\n", "address family"},
	{"v1 wrong family", "PROXY TCP4 ::1 ::1 1 2\r\n", "address"},
	{"v1 IPv4 as IPv6", "PROXY TCP6 1.1.1.1 1.1.1.1 1 2\r\n", "address"},
	{"v1 zone", "PROXY TCP6 fe80::1%lo ::1 1 2\r\n", "address"},
	{"v1 leading zero", "PROXY TCP4 01.1.1.1 1.1.1.1 1 2\r\n", "address"},
	{"v1 port", "PROXY TCP4 1.1.1.1 1.1.1.1 65536 2\r\n", "port"},
	{"v1 port with a zero", "PROXY TCP4 1.1.1.1 1.1.1.1 080 2\r\n", "port"},
	{"v1 too few", "PROXY TCP4 1.1.1.1 1.1.1.1 1\r\n", "proxyproto"},
	{"v1 too many", "PROXY TCP4 1.1.1.1 1.1.1.1 1 2 3\r\n", "proxyproto"},
	{"v2 wrong signature", "\r\n\r\n\x00\r\nQUIX\n\x21\x11\x00\x0c" + from4, "no PROXY protocol header"},
	{"v2 version 1", block2(0x11, 0x11, from4), "version and command"},
	{"v2 no such command", block2(0x22, 0x11, from4), "version and command"},
	{"v2 no such family", block2(0x21, 0x41, from4), "address family"},
	{"v2 no such transport", block2(0x21, 0x13, from4), "address family"},
	{"v2 too short", block2(0x21, 0x21, from4), "length"},
	{"v2 too long", block2(0x21, 0x11, from4+strings.Repeat("x", maxBlock2)), "too long"},
	{"v2 TLV cut", block2(0x21, 0x11, from4+"\x02\x00"), "truncated TLV"},
	{"v2 TLV too long", block2(0x21, 0x11, from4+"\x02\x00\x05x"), "truncated TLV"},
	{"v2 unspecified with half a TLV", block2(0x21, 0x00, "\x02"), "truncated TLV"},
	{"v2 wrong checksum", block2(0x21, 0x11, from4+tlv(0x03, "\x00\x00\x00\x01")), "wrong checksum"},
	{"v2 short checksum", block2(0x21, 0x11, from4+tlv(0x03, "\x00\x00\x00")), "wrong checksum"},
}

// TestPreface: every cut of a good header waits for the rest of it, and what
// stands behind it is left alone.
func TestPreface(t *testing.T) {
	for _, tt := range goodPrefaces {
		want := netip.AddrPort{}
		if tt.client != "" {
			want = netip.MustParseAddrPort(tt.client)
		}
		for cut := range tt.header {
			if n, client, err := readPreface([]byte(tt.header[:cut])); n != 0 || client.IsValid() || err != nil {
				t.Fatalf("%s, %d bytes of it: got %d, %v, %v, want it to wait", tt.name, cut, n, client, err)
			}
		}
		for _, behind := range []string{"", "GET / HTTP/1.1\r\n", "PROXY ", sig2} {
			if n, client, err := readPreface([]byte(tt.header + behind)); n != len(tt.header) || client != want || err != nil {
				t.Errorf("%s and %q: got %d, %v, %v, want %d, %v", tt.name, behind, n, client, err, len(tt.header), want)
			}
		}
	}
}

func TestPrefaceErrors(t *testing.T) {
	for _, tt := range badPrefaces {
		n, client, err := readPreface([]byte(tt.header))
		if err == nil || !strings.Contains(err.Error(), tt.want) || n != 0 || client.IsValid() {
			t.Errorf("%s: got %d, %v, %v, want an error with %q", tt.name, n, client, err, tt.want)
		}
	}
}

// FuzzPreface: never a panic, never more than was given, and the same result
// however the bytes are cut.
func FuzzPreface(f *testing.F) {
	for _, tt := range goodPrefaces {
		f.Add([]byte(tt.header))
	}
	for _, tt := range badPrefaces {
		f.Add([]byte(tt.header))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		before := bytes.Clone(in)
		n, client, err := readPreface(in)
		if !bytes.Equal(in, before) {
			t.Fatal("the input was changed")
		}
		if n < 0 || n > len(in) || n > fixed2+maxBlock2 || err != nil && n != 0 || n == 0 && client.IsValid() {
			t.Fatalf("got %d, %v, %v", n, client, err)
		}
		for cut := range in {
			k, c, e := readPreface(in[:cut])
			switch {
			case k == 0 && e == nil: // it waits
			case k != n || c != client || (e == nil) != (err == nil):
				t.Fatalf("the first %d bytes: got %d, %v, %v; whole: %d, %v, %v", cut, k, c, e, n, client, err)
			default:
				return
			}
		}
	})
}
