package main

import (
	"bytes"
	"io"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/panjf2000/gnet/v2"

	"echogate/bench/peers/internal/peer"
)

// codec is what a connection needs between two events. Bytes that are not yet a
// whole frame stay in the engine's buffer.
type codec struct {
	upgraded bool
	need     int       // bytes without which nothing can be done
	op       ws.OpCode // of the message whose fragments are in message
	message  []byte
}

// readWriter makes the library read from memory and write elsewhere.
type readWriter struct {
	io.Reader
	io.Writer
}

// serve handles all that is complete and sends the answers with one write.
func (k *codec) serve(c gnet.Conn) error {
	// Looking at less than a frame again and again would copy a long one many
	// times over.
	if c.InboundBuffered() < k.need {
		return nil
	}
	p, err := c.Peek(-1)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	n, err := k.decode(p, &out)
	if n > 0 { // 0 would discard everything
		_, _ = c.Discard(n)
	}
	if out.Len() > 0 {
		if _, writeErr := c.Write(out.Bytes()); writeErr != nil {
			return writeErr
		}
	}
	return err
}

// decode takes requests and frames from p as long as they are whole and returns
// how many bytes they were.
func (k *codec) decode(p []byte, out *bytes.Buffer) (n int, err error) {
	if !k.upgraded {
		end := bytes.Index(p, []byte("\r\n\r\n"))
		if end < 0 {
			return 0, nil
		}
		n = end + 4
		if _, err := ws.Upgrade(readWriter{bytes.NewReader(p[:n]), out}); err != nil {
			return n, err
		}
		k.upgraded = true
	}
	for {
		size, err := k.frame(p[n:], out)
		if size == 0 || err != nil {
			return n, err
		}
		n += size
	}
}

// frame handles the frame that p begins with and returns its size, 0 when it is
// not complete: k.need says then how much it takes.
func (k *codec) frame(p []byte, out *bytes.Buffer) (int, error) {
	in := bytes.NewReader(p)
	h, err := ws.ReadHeader(in)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		k.need = len(p) + 1
		return 0, nil
	}
	if err == nil {
		err = ws.CheckHeader(h, k.state())
	}
	if err == nil && h.Length > peer.MaxMessage-int64(len(k.message)) {
		err = wsutil.ErrMessageTooLarge
	}
	if err != nil {
		return 0, err
	}
	begin := len(p) - in.Len()
	k.need = begin + int(h.Length)
	if len(p) < k.need {
		return 0, nil
	}
	payload := p[begin:k.need]
	k.need = 0
	ws.Cipher(payload, h.Mask, 0)
	return begin + len(payload), k.handle(h, payload, out)
}

// handle answers one frame whose payload is unmasked.
func (k *codec) handle(h ws.Header, p []byte, out *bytes.Buffer) error {
	if h.OpCode.IsControl() {
		return wsutil.HandleClientControlMessage(out, wsutil.Message{OpCode: h.OpCode, Payload: p})
	}
	if h.Fin && h.OpCode != ws.OpContinuation {
		return wsutil.WriteServerMessage(out, h.OpCode, p)
	}
	if h.OpCode != ws.OpContinuation {
		k.op = h.OpCode
	}
	k.message = append(k.message, p...)
	if !h.Fin {
		return nil
	}
	err := wsutil.WriteServerMessage(out, k.op, k.message)
	k.op, k.message = 0, nil
	return err
}

// state is what the library checks headers against.
func (k *codec) state() ws.State {
	if k.op != 0 {
		return ws.StateServerSide | ws.StateFragmented
	}
	return ws.StateServerSide
}
