package main

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"net/netip"

	"github.com/pires/go-proxyproto"
)

const (
	signature1 = "PROXY "
	signature2 = "\r\n\r\n\x00\r\nQUIT\n"
	// maxLine1 is the longest header of version 1 (its specification, section
	// 2.1).
	maxLine1 = 107
	// fixed2 is what every header of version 2 has in front: signature, command,
	// family, length.
	fixed2 = 16
	// maxBlock2 bounds what follows that, addresses and TLVs: a client's
	// certificate may be among them.
	maxBlock2 = 4 << 10
)

var (
	errNoPreface   = errors.New("no PROXY protocol header")
	errLongPreface = errors.New("PROXY protocol header too long")
	errChecksum    = errors.New("PROXY protocol header with a wrong checksum")
)

// readPreface reads the PROXY protocol header at the front of in, for
// poller.Config.Preface. The library is given whole headers only: what it does
// with less is to block.
func readPreface(in []byte) (n int, client netip.AddrPort, err error) {
	if n, err = prefaceLen(in); n == 0 || err != nil {
		return 0, client, err
	}
	if in[0] == signature2[0] {
		client, err = readPreface2(in[:n])
	} else {
		client, err = readHeader(in[:n])
	}
	if err != nil {
		return 0, netip.AddrPort{}, err
	}
	return n, client, nil
}

// prefaceLen is how long the header at the front of in is; 0: that is not known
// yet, or not all of it is there. Nothing else than a header is waited for.
func prefaceLen(in []byte) (int, error) {
	switch {
	case begins(in, signature1):
		end := bytes.IndexByte(in[:min(len(in), maxLine1)], '\n')
		if end < 0 && len(in) >= maxLine1 {
			return 0, errLongPreface
		}
		return end + 1, nil
	case begins(in, signature2):
		if len(in) < fixed2 {
			return 0, nil
		}
		block := int(binary.BigEndian.Uint16(in[fixed2-2:]))
		if block > maxBlock2 {
			return 0, errLongPreface
		}
		if len(in) < fixed2+block {
			return 0, nil
		}
		return fixed2 + block, nil
	}
	return 0, errNoPreface
}

// begins reports whether in begins with the signature, as far as it goes.
func begins(in []byte, signature string) bool {
	k := min(len(in), len(signature))
	return string(in[:k]) == signature[:k]
}

// readPreface2 reads a whole header of version 2. One for a client of no known
// family is good here, and names nobody: section 2.2 leaves that to the receiver,
// and the library refuses it. Of the proxy's own connections the rest is skipped.
func readPreface2(header []byte) (client netip.AddrPort, err error) {
	command, family := proxyproto.ProtocolVersionAndCommand(header[12]), proxyproto.AddressFamilyAndProtocol(header[13])
	if command != proxyproto.PROXY || family != proxyproto.UNSPEC {
		client, err = readHeader(header)
	}
	if err != nil || command != proxyproto.PROXY {
		return client, err
	}
	return client, checkTLVs(header, header[fixed2+addressLen(family):])
}

// addressLen is the length of the addresses of a family.
func addressLen(family proxyproto.AddressFamilyAndProtocol) int {
	switch {
	case family.IsIPv4():
		return 2 * (4 + 2)
	case family.IsIPv6():
		return 2 * (16 + 2)
	case family.IsUnix():
		return 2 * 108
	}
	return 0
}

// readHeader has the library read one whole header. A client on a unix socket of
// the proxy's has no address, and neither has the proxy's own health check.
func readHeader(header []byte) (client netip.AddrPort, err error) {
	h, err := proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(header), len(header)))
	if err != nil || h.Command.IsLocal() {
		return client, err
	}
	ip, _, ok := h.IPs()
	port, _, ports := h.Ports()
	if !ok || !ports {
		return client, nil
	}
	addr, _ := netip.AddrFromSlice(ip)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), nil
}

// checkTLVs reads through the TLVs, of which the checksum must be right if it is
// there (section 2.2.4). What the others say nobody has asked for.
func checkTLVs(header, tlvs []byte) error {
	all, err := proxyproto.SplitTLVs(tlvs)
	if err != nil {
		return err
	}
	at := len(header) - len(tlvs)
	for _, tlv := range all {
		size := int(binary.BigEndian.Uint16(header[at+1:]))
		value := at + 3
		at = value + size
		if tlv.Type != proxyproto.PP2_TYPE_CRC32C {
			continue
		}
		if size != crc32.Size || !sumMatches(header, value) {
			return errChecksum
		}
	}
	return nil
}

// sumMatches compares the checksum at header[value:] with that of the header, in
// which the checksum itself counts as zeros.
func sumMatches(header []byte, value int) bool {
	table := crc32.MakeTable(crc32.Castagnoli)
	sum := crc32.Update(0, table, header[:value])
	sum = crc32.Update(sum, table, make([]byte, crc32.Size))
	sum = crc32.Update(sum, table, header[value+crc32.Size:])
	return sum == binary.BigEndian.Uint32(header[value:])
}
