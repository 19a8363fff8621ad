package websocket

import (
	"errors"

	"github.com/gobwas/ws"
)

// Violation is a way to break RFC 6455, or RFC 7692, after the handshake. The list is closed.
type Violation uint8

// The violations, in the order of their counters.
const (
	ViolationReservedBits    Violation = iota // RSV1–3 without an extension (§5.2)
	ViolationOpcode                           // a reserved opcode (§5.2)
	ViolationUnmasked                         // a frame that is not masked (§5.1)
	ViolationLength                           // a length not in its shortest form, or with its top bit set (§5.2)
	ViolationControlLength                    // a control frame of more than 125 bytes (§5.5)
	ViolationControlFragment                  // a control frame that is not final (§5.5)
	ViolationContinuation                     // a continuation of nothing (§5.4)
	ViolationNoContinuation                   // a new message inside a fragmented one (§5.4)
	ViolationClosePayload                     // a close frame of one byte, or with a code that must not travel (§5.5.1, §7.4)
	ViolationUTF8                             // a text, or a close frame's reason, that is not UTF-8 (§8.1, §5.5.1)
	ViolationDeflate                          // a compressed message that does not inflate (RFC 7692 §7.2.2)
	ViolationOther                            // what a handler returned as one
	Violations                                // how many there are
)

var violationLabels = [Violations]string{
	"reserved_bits", "opcode", "unmasked", "length", "control_length", "control_fragment",
	"continuation", "no_continuation", "close_payload", "utf8", "deflate", "other",
}

// String returns the label used in counters.
func (v Violation) String() string { return violationLabels[v] }

// violationOf is what an error that ends a connection says that the peer broke,
// if it did. e is what it is closed with.
func violationOf(err error, e CloseError) (v Violation, ok bool) {
	switch e {
	case ErrBadClose:
		return ViolationClosePayload, true
	case ErrInvalidUTF8:
		return ViolationUTF8, true
	case ErrDeflate:
		return ViolationDeflate, true
	}
	protocol, ok := errors.AsType[ws.ProtocolError](err)
	if e.Cause != CauseProtocol || !ok {
		return 0, false
	}
	switch protocol {
	case ws.ErrProtocolNonZeroRsv:
		return ViolationReservedBits, true
	case ws.ErrProtocolOpCodeReserved:
		return ViolationOpcode, true
	case ws.ErrProtocolMaskRequired:
		return ViolationUnmasked, true
	case errLength, errLengthMSB:
		return ViolationLength, true
	case ws.ErrProtocolControlPayloadOverflow:
		return ViolationControlLength, true
	case ws.ErrProtocolControlNotFinal:
		return ViolationControlFragment, true
	case ws.ErrProtocolContinuationUnexpected:
		return ViolationContinuation, true
	case ws.ErrProtocolContinuationExpected:
		return ViolationNoContinuation, true
	}
	return ViolationOther, true
}
