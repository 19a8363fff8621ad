package poller

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"time"

	"github.com/gobwas/ws"
)

// This file plays the scripts of the model test.

// actor plays one script. Two goroutines do: one writes, one reads.
type actor struct {
	*script
	*client
	begun   chan struct{} // closed when the answer to the request was read, or none will be
	stalled sync.Mutex    // held by the writer: nothing is read
}

// modelStuck is how long the server must have taken nothing for a stall to be
// over. Nothing is wrong when a slow machine ends one early.
const modelStuck = 50 * time.Millisecond

// newActor connects the client of a script.
func newActor(s *running, x *script) *actor {
	s.t.Helper()
	receive := 0
	if x.narrow {
		receive = 32 << 10
	}
	c := connectTo(s.t, s.Addrs()[0].String(), receive)
	if x.narrow {
		_ = c.SetWriteBuffer(32 << 10)
	}
	return &actor{script: x, client: c, begun: make(chan struct{})}
}

// play is the life of the connection; its error is what was not as foretold.
func (a *actor) play() error {
	defer a.Close()
	var unread error
	read := make(chan struct{})
	go func() {
		defer close(read)
		if unread = a.reads(); unread != nil {
			a.reset() // or the writer waits for who reads
		}
	}()
	err := a.writes()
	if a.ending == endReset {
		<-read
	}
	if err == nil {
		err = a.leave()
	}
	if err != nil {
		a.reset() // or the reader waits for what was not sent
	}
	<-read
	if err = errors.Join(err, unread); err != nil {
		return fmt.Errorf("%w\n%s", err, a.script)
	}
	return nil
}

// leave is the last that the client does before it waits for the server.
func (a *actor) leave() error {
	switch a.ending {
	case endHalfClose:
		return a.CloseWrite()
	case endReset, endResetNow:
		a.reset()
	case endVanish:
		return a.Close()
	}
	return nil
}

// writes sends the request and the frames.
func (a *actor) writes() error {
	head, pieces := []byte(request(a.route)), a.pieces
	switch {
	case a.opening == openHalf:
		head = head[:len(head)/2]
	case a.opening == openAtOnce && len(pieces) > 0:
		head, pieces = append(head, pieces[0].b...), pieces[1:]
	}
	if _, err := a.Write(head); err != nil {
		return err
	}
	if a.opening == openWait {
		<-a.begun
	}
	for i, p := range pieces {
		if err := a.writePiece(p); err != nil {
			return fmt.Errorf("piece %d of %d: %w", i+1, len(pieces), err)
		}
		runtime.Gosched()
	}
	return nil
}

// writePiece sends one piece. When it stalls nothing is read until all of it is
// sent, or nothing more is taken.
func (a *actor) writePiece(p piece) error {
	if !p.stall {
		_, err := a.Write(p.b)
		return err
	}
	a.stalled.Lock()
	n := 0
	for more := true; more && n < len(p.b); {
		_ = a.SetWriteDeadline(time.Now().Add(modelStuck))
		k, err := a.Write(p.b[n:])
		if err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
			a.stalled.Unlock()
			return err
		}
		n += k
		more = k > 0
	}
	a.stalled.Unlock()
	_ = a.SetWriteDeadline(time.Now().Add(2 * patience))
	_, err := a.Write(p.b[n:])
	return err
}

// reads compares all that comes with what was foretold. Who breaks off may miss
// the end of it.
func (a *actor) reads() error {
	err := a.answer()
	close(a.begun)
	for i := 0; err == nil && i < len(a.replies); i++ {
		if err = a.readReply(a.replies[i]); err != nil {
			err = fmt.Errorf("reply %d of %d: %w", i+1, len(a.replies), err)
		}
	}
	if err == nil && a.ending != endReset {
		err = a.readEnd()
	}
	var mismatch mismatch
	if a.ending >= endResetNow && !errors.As(err, &mismatch) {
		return nil
	}
	return err
}

// mismatch is something that came and was not foretold.
type mismatch string

func (m mismatch) Error() string { return string(m) }

// answer reads what comes of the request.
func (a *actor) answer() error {
	if a.opening == openHalf {
		return nil // there is none
	}
	want := http.StatusSwitchingProtocols
	if a.opening == openNowhere {
		want = http.StatusNotFound
	}
	got, err := http.ReadResponse(a.r, nil)
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, got.Body)
	if got.StatusCode != want {
		return mismatch(fmt.Sprintf("got status %d, want %d", got.StatusCode, want))
	}
	return err
}

// readReply reads one frame, unless the client stalls.
func (a *actor) readReply(want reply) error {
	a.stalled.Lock()
	a.stalled.Unlock() //lint:ignore SA2001 the lock is a gate
	op, p, err := a.read()
	if err != nil {
		return err
	}
	if want.op != ws.OpClose {
		if op != want.op || !bytes.Equal(p, want.p) {
			return mismatch(fmt.Sprintf("got opcode %x and %d bytes %.40q, want %x and %d bytes %.40q", op, len(p), p, want.op, len(want.p), want.p))
		}
		return nil
	}
	code := ws.StatusCode(0)
	if len(p) >= 2 {
		code = ws.StatusCode(binary.BigEndian.Uint16(p))
	}
	if op != ws.OpClose || code != want.code {
		return mismatch(fmt.Sprintf("got opcode %x and %d bytes %.40q, want a close frame with code %d", op, len(p), p, want.code))
	}
	return nil
}

// readEnd wants nothing more but TCP's end.
func (a *actor) readEnd() error {
	b, err := a.r.ReadByte()
	switch err {
	case nil:
		return mismatch(fmt.Sprintf("got byte %#x after the last reply, want EOF", b))
	case io.EOF:
		return nil
	}
	return fmt.Errorf("after the last reply, want EOF: %w", err)
}
