package main

import (
	"bytes"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"math/bits"
	"slices"
	"strings"
)

// maxHead is how long the answer to an upgrade may be.
const maxHead = 16 << 10

// nonce is the key of one handshake. It is made again when the answer comes, so
// that a connection need not keep it: RFC 6455 §4.1 wants a new one, chosen at
// random, for each.
func nonce(seed uint64, id int32, try uint32) (key [24]byte) {
	var raw [16]byte
	for i := range raw {
		if i%8 == 0 {
			seed += uint64(uint32(id))<<32 | uint64(try)
			hi, lo := bits.Mul64(seed^0x9e3779b97f4a7c15, 0xd6e8feb86659fd93)
			seed = hi ^ lo
		}
		raw[i] = byte(seed >> (i % 8 * 8))
	}
	base64.StdEncoding.Encode(key[:], raw[:])
	return key
}

// accept is what a server must answer to the key.
func accept(key [24]byte) (value [28]byte) {
	const guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11" // RFC 6455 §1.3
	sum := sha1.Sum(append(key[:], guid...))
	base64.StdEncoding.Encode(value[:], sum[:])
	return value
}

// request is what an upgrade request has that not every one has; empty: nothing.
type request struct {
	Host       string `json:"host"`       // instead of the URL's
	Lines      string `json:"lines"`      // more headers, each with the end of its line
	Protocols  string `json:"protocols"`  // subprotocols that it offers, as the header names them
	Extensions string `json:"extensions"` // that it offers
}

// appendRequest writes the upgrade request.
func appendRequest(dst []byte, host, target string, r *request, key [24]byte) []byte {
	if r.Host != "" {
		host = r.Host
	}
	dst = append(dst, "GET "...)
	dst = append(dst, target...)
	dst = append(dst, " HTTP/1.1\r\nHost: "...)
	dst = append(dst, host...)
	dst = append(dst, "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "...)
	dst = append(dst, key[:]...)
	if r.Protocols != "" {
		dst = append(dst, "\r\nSec-WebSocket-Protocol: "...)
		dst = append(dst, r.Protocols...)
	}
	if r.Extensions != "" {
		dst = append(dst, "\r\nSec-WebSocket-Extensions: "...)
		dst = append(dst, r.Extensions...)
	}
	dst = append(dst, "\r\nSec-WebSocket-Version: 13\r\n"...)
	dst = append(dst, r.Lines...)
	return append(dst, "\r\n"...)
}

// checkAnswer reads the head of the answer, without its blank line, and says
// what is wrong with it (RFC 6455 §4.1). An extension that was offered must have been
// agreed on: else it is not measured. A server may choose none of the subprotocols.
func checkAnswer(head []byte, r *request, key [24]byte) error {
	line, rest, _ := bytes.Cut(head, []byte("\r\n"))
	if status, reason, _ := bytes.Cut(line, []byte("101")); string(status) != "HTTP/1.1 " || len(reason) > 0 && reason[0] != ' ' {
		return refusal(line, rest)
	}
	var a agreement
	for len(rest) > 0 {
		line, rest, _ = bytes.Cut(rest, []byte("\r\n"))
		name, value, ok := bytes.Cut(line, []byte(":"))
		if !ok {
			return fmt.Errorf("upgrade answered with the header line %.80q", line)
		}
		if err := a.take(name, bytes.Trim(value, " \t"), r, key); err != nil {
			return err
		}
	}
	return a.check(r)
}

// agreement is what the headers of an answer have said so far.
type agreement struct{ upgrade, connection, accepted, agreed, chosen bool }

// take takes a header.
func (a *agreement) take(name, value []byte, r *request, key [24]byte) error {
	switch {
	case is(name, "Upgrade"):
		a.upgrade = is(value, "websocket")
	case is(name, "Connection"):
		a.connection = a.connection || hasToken(value, "upgrade")
	case is(name, "Sec-WebSocket-Accept"):
		want := accept(key)
		a.accepted = bytes.Equal(value, want[:])
	case is(name, "Sec-WebSocket-Extensions") && r.Extensions != "" && !a.agreed:
		a.agreed = true
		return checkAgreed(value)
	case is(name, "Sec-WebSocket-Protocol") && !a.chosen && r.offersProtocol(string(value)):
		a.chosen = true
	case is(name, "Sec-WebSocket-Extensions"), is(name, "Sec-WebSocket-Protocol"):
		return fmt.Errorf("upgrade answered with what was not offered: %s: %.80q", name, value)
	}
	return nil
}

// check says what the headers lack.
func (a *agreement) check(r *request) error {
	switch {
	case !a.upgrade:
		return fmt.Errorf("upgrade answered without Upgrade: websocket")
	case !a.connection:
		return fmt.Errorf("upgrade answered without Connection: Upgrade")
	case !a.accepted:
		return fmt.Errorf("upgrade answered without the right Sec-WebSocket-Accept")
	case r.Extensions != "" && !a.agreed:
		return fmt.Errorf("upgrade answered without permessage-deflate")
	}
	return nil
}

// refusal is an answer that is no upgrade, and where it sends the client instead.
func refusal(status, headers []byte) error {
	for line := range bytes.SplitSeq(headers, []byte("\r\n")) {
		if name, to, ok := bytes.Cut(line, []byte(":")); ok && is(name, "Location") {
			return fmt.Errorf("upgrade answered with %.80q, to %.200q", status, bytes.TrimSpace(to))
		}
	}
	return fmt.Errorf("upgrade answered with %.80q", status)
}

// offersProtocol compares case by case, as RFC 6455 §4.1 does.
func (r *request) offersProtocol(name string) bool {
	return slices.Contains(strings.Split(r.Protocols, protocolSeparator), name)
}

// protocolSeparator is between two subprotocols.
const protocolSeparator = ", "

func is(b []byte, name string) bool {
	return len(b) == len(name) && bytes.EqualFold(b, []byte(name))
}

func hasToken(list []byte, token string) bool {
	for item := range bytes.SplitSeq(list, []byte(",")) {
		if is(bytes.Trim(item, " \t"), token) {
			return true
		}
	}
	return false
}
