package poller

import (
	"bytes"
	"crypto/tls"
	"errors"
	"io"
	"iter"
	"net"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// This file is what TLS here takes from Go without a promise in its documents.
// When a release changes it, these tests say so.

// dripping is a transport that has a byte now and then: in between it fails with
// errWouldBlock. What is written goes to out.
type dripping struct {
	pipe
	wire  []byte // what there is to be read
	again bool   // the next read is one that fails
}

func (d *dripping) Read(b []byte) (int, error) {
	if d.again = !d.again; d.again || len(d.wire) == 0 {
		return 0, errWouldBlock
	}
	n := copy(b[:1], d.wire)
	d.wire = d.wire[n:]
	return n, nil
}

// handshaken are the two ends of a TLS connection whose handshake is over. What
// one writes lies in out.
func handshaken(t *testing.T, a *authority, version uint16) (server *tls.Conn, in *dripping, client *tls.Conn, out *pipe) {
	t.Helper()
	x, y := net.Pipe()
	defer x.Close()
	defer y.Close()
	config := a.client()
	config.MinVersion, config.MaxVersion, config.DynamicRecordSizingDisabled = version, version, true
	serverSide, clientSide := &switched{Conn: x}, &switched{Conn: y}
	server, client = tls.Server(serverSide, a.server()), tls.Client(clientSide, config)
	done := make(chan error, 1)
	go func() { done <- server.Handshake() }()
	if err := errors.Join(client.Handshake(), <-done); err != nil {
		t.Fatal(err)
	}
	in, out = new(dripping), new(pipe)
	serverSide.Conn, clientSide.Conn = in, out
	return server, in, client, out
}

// switched is a connection that is exchanged after the handshake.
type switched struct{ net.Conn }

// A read goes on where the one before it failed for want of bytes, wherever in a
// record that was, as often as it takes.
func TestGoReadsGoOn(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, v := range versions {
		t.Run(tls.VersionName(v), func(t *testing.T) {
			server, in, client, out := handshaken(t, a, v)
			want := []byte(strings.Repeat("a message ", 1000))
			if _, err := client.Write(want); err != nil {
				t.Fatal(err)
			}
			if err := client.CloseWrite(); err != nil {
				t.Fatal(err)
			}
			in.wire = out.out
			var got []byte
			b, blocked := make([]byte, len(want)), 0
			for {
				n, err := server.Read(b)
				got = append(got, b[:n]...)
				if err == io.EOF {
					break
				}
				if err != nil && err != errWouldBlock {
					t.Fatalf("after %d reads that brought nothing: %v", blocked, err)
				}
				if err != nil {
					blocked++
				}
			}
			if !bytes.Equal(got, want) || blocked < len(want) {
				t.Errorf("got %d bytes in spite of %d reads that brought nothing, want %d", len(got), blocked, len(want))
			}
		})
	}
}

// A read with room for it takes one record, whole, and keeps nothing of what
// follows: where no whole record is left there is nothing to be read.
func TestGoReadTakesARecord(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, v := range versions {
		server, _, client, out := handshaken(t, a, v)
		in := new(pipe)
		server.NetConn().(*switched).Conn = in
		const records, longest = 4, 1 << 14
		for i := range records {
			if _, err := client.Write(make([]byte, longest>>i)); err != nil {
				t.Fatal(err)
			}
		}
		in.in = slices.Clone(out.out)
		for i := 0; record(in.in) > 0; i++ {
			left := len(in.in) - record(in.in)
			n, err := server.Read(make([]byte, 2*longest))
			if n != longest>>i || err != nil || len(in.in) != left || in.rest > 0 {
				t.Errorf("%s, record %d: got %d bytes, %v; %d of %d are left behind it, %d within", tls.VersionName(v), i, n, err, len(in.in), left, in.rest)
			}
		}
		if n, err := server.Read(make([]byte, 1)); n != 0 || err != errWouldBlock {
			t.Errorf("%s: got %d bytes more, %v", tls.VersionName(v), n, err)
		}
	}
}

// Were the error not a temporary one, it would be remembered: this is what
// errWouldBlock is made for.
func TestGoRemembersOtherErrors(t *testing.T) {
	t.Parallel()
	server, _, _, _ := handshaken(t, newAuthority(t), tls.VersionTLS13)
	server.NetConn().(*switched).Conn = new(failing)
	first, _ := server.Read(make([]byte, 1))
	_, err := server.Read(make([]byte, 1))
	if first != 0 || !errors.Is(err, errBroken) {
		t.Errorf("got %v, want the error of the read before", err)
	}
}

var errBroken = errors.New("broken")

// failing fails once with errBroken, and panics afterwards: nobody may ask again.
type failing struct {
	net.Conn
	asked bool
}

func (f *failing) Read([]byte) (int, error) {
	if f.asked {
		panic("the transport was asked again")
	}
	f.asked = true
	return 0, errBroken
}

// A coroutine goes on in another goroutine than the one that suspended it, and
// stop ends it inside its yield, with what is deferred there.
func TestGoCoroutines(t *testing.T) {
	t.Parallel()
	ended := false
	next, stop := iter.Pull(func(yield func(int) bool) {
		defer func() { ended = true }()
		for i := 0; yield(i); i++ {
			runtime.Gosched()
		}
	})
	for want := range 100 {
		got := make(chan int)
		go func() {
			v, _ := next()
			got <- v
		}()
		if v := receive(t, got); v != want {
			t.Fatalf("got %d, want %d", v, want)
		}
	}
	stop()
	if !ended {
		t.Error("stop has not ended the coroutine")
	}
}

// A handshake reads no more than the records it needs, writes a flight at once,
// and can be left in the middle.
func TestGoHandshakeStops(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	for _, v := range versions {
		config := a.client()
		config.MinVersion, config.MaxVersion = v, v
		hello := clientHello(t, config)
		s := new(session)
		s.begin(a.server(), &net.TCPAddr{})
		s.step()
		if s.done || len(s.out) > 0 {
			t.Fatalf("%s: it did something before a byte came", tls.VersionName(v))
		}
		s.in = hello
		s.step()
		if s.done || len(s.in) > 0 || len(s.out) == 0 {
			t.Fatalf("%s: done %t, %v, %d bytes not taken, %d written", tls.VersionName(v), s.done, s.err, len(s.in), len(s.out))
		}
		s.abandon()
		if !s.done || !errors.Is(s.err, errAbandoned) {
			t.Errorf("%s: left, it is done %t, %v", tls.VersionName(v), s.done, s.err)
		}
	}
}

// clientHello is the first flight of a client.
func clientHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	p := new(pipe)
	if err := tls.Client(p, config).Handshake(); err != errWouldBlock {
		t.Fatal(err)
	}
	return p.out
}
