package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/poller/websocket"
)

// clientCommand is the sub-command that talks to a WebSocket server, so that the
// container, which has no shell, can test itself or another.
type clientCommand struct {
	URL         string        `arg:"" help:"ws:// or wss:// URL to connect to."`
	Message     []string      `short:"m" sep:"none" placeholder:"TEXT" help:"Text to send, repeatable."`
	Count       *int          `short:"n" placeholder:"N" help:"Messages to wait for before closing with 1000. Without it as many as are sent; if none is, all until the server closes."`
	Header      []string      `short:"H" sep:"none" placeholder:"NAME: VALUE" help:"Header line of the handshake, repeatable."`
	Subprotocol []string      `short:"s" placeholder:"NAME" help:"Subprotocol to offer, repeatable."`
	Insecure    bool          `short:"k" help:"Take any certificate: for a server with one that it has made itself."`
	Wait        time.Duration `short:"w" placeholder:"DURATION" default:"10s" help:"Longest wait for the connection, and for each message; 0 waits without end."`
	MaxSize     Size          `placeholder:"SIZE" default:"16MiB" help:"Longest message that is taken."`
}

// Exit codes of the client, beside exitOK for 1000 and exitUsage.
const (
	exitNoConnection = 1  // refused, or not reached, or ended without a close frame
	exitTimeout      = 3  // nothing came in time
	exitCode1xxx     = 10 // + code − 1000 of a close frame; 15: one without a code
	exitCode3xxx     = 30
	exitCode4xxx     = 40
)

// check reports what the client cannot run with.
func (c *clientCommand) check() error {
	u, err := url.Parse(c.URL)
	if err != nil || u.Scheme != "ws" && u.Scheme != "wss" || u.Host == "" {
		return fmt.Errorf("%q is not a URL to connect to: accepted are ws://host/path and wss://host/path", c.URL)
	}
	for _, line := range c.Header {
		if name, _, ok := strings.Cut(line, ":"); !ok || strings.TrimSpace(name) == "" || strings.ContainsAny(line, "\r\n") {
			return fmt.Errorf("--header: %q: accepted is NAME: VALUE", line)
		}
	}
	switch {
	case c.Count != nil && *c.Count < 0:
		return fmt.Errorf("--count: %d is out of range: accepted are 0 and more", *c.Count)
	case c.Wait < 0:
		return fmt.Errorf("--wait: %v is out of range: accepted are 0s and more", c.Wait)
	case c.MaxSize == 0:
		return fmt.Errorf("--max-size: 0 is out of range: accepted are 1 byte and more")
	}
	for _, text := range c.Message {
		if !utf8.ValidString(text) {
			return fmt.Errorf("--message: %q is not UTF-8", text)
		}
	}
	return nil
}

// run connects, sends, prints what comes, and returns the exit code.
func (c *clientCommand) run(out, errOut io.Writer) int {
	conn, in, err := c.dial(errOut)
	if err != nil {
		return c.failed(err, errOut)
	}
	defer conn.Close()
	s := &session{clientCommand: c, conn: conn, in: in, out: out}
	err = s.talk()
	if closed, ok := errors.AsType[wsutil.ClosedError](err); ok {
		fmt.Fprintf(errOut, "closed: %d %q\n", closed.Code, closed.Reason)
		return exitOf(closed.Code)
	}
	return c.failed(err, errOut)
}

// failed says what went wrong and returns its exit code.
func (c *clientCommand) failed(err error, errOut io.Writer) int {
	fmt.Fprintf(errOut, "echogate: %v\n", err)
	if errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) {
		return exitTimeout
	}
	return exitNoConnection
}

// exitOf is the exit code for a close code.
func exitOf(code ws.StatusCode) int {
	switch {
	case code == ws.StatusNormalClosure:
		return exitOK
	case code >= 4000:
		return exitCode4xxx
	case code >= 3000:
		return exitCode3xxx
	}
	return exitCode1xxx + int(code) - 1000
}

// dial shakes hands. in has what came behind the 101.
func (c *clientCommand) dial(errOut io.Writer) (conn net.Conn, in io.Reader, err error) {
	header := http.Header{}
	for _, line := range c.Header {
		name, value, _ := strings.Cut(line, ":")
		header.Add(strings.TrimSpace(name), strings.TrimSpace(value))
	}
	host := header.Get("Host")
	header.Del("Host")
	d := ws.Dialer{
		Timeout: c.Wait, Protocols: c.Subprotocol, Host: host, Header: ws.HandshakeHeaderHTTP(header),
		TLSConfig: &tls.Config{InsecureSkipVerify: c.Insecure, NextProtos: []string{"http/1.1"}},
		OnHeader: func(key, value []byte) error {
			fmt.Fprintf(errOut, "%s: %s\n", key, value)
			return nil
		},
		OnStatusError: func(_ int, _ []byte, answer io.Reader) { showRefusal(answer, errOut) },
	}
	conn, rest, shake, err := d.Dial(context.Background(), c.URL)
	if err != nil {
		return nil, nil, err
	}
	if shake.Protocol != "" {
		fmt.Fprintf(errOut, "subprotocol: %s\n", shake.Protocol)
	}
	if in = conn; rest != nil {
		in = io.MultiReader(io.LimitReader(rest, int64(rest.Buffered())), conn)
	}
	return conn, in, nil
}

// refusalMost is how much of an answer that is no 101 is read.
const refusalMost = 64 << 10

// showRefusal shows the headers of an answer that is no 101, and its text.
func showRefusal(answer io.Reader, errOut io.Writer) {
	r, err := http.ReadResponse(bufio.NewReader(io.LimitReader(answer, refusalMost)), nil)
	if err != nil {
		return // the status is told anyway
	}
	defer r.Body.Close()
	for _, name := range slices.Sorted(maps.Keys(r.Header)) {
		fmt.Fprintf(errOut, "%s: %s\n", name, strings.Join(r.Header[name], ", "))
	}
	if body, _ := io.ReadAll(r.Body); len(body) > 0 && utf8.Valid(body) {
		fmt.Fprintf(errOut, "\n%s\n", bytes.TrimRight(body, "\n"))
	}
}

// A session is one connection of the client.
type session struct {
	*clientCommand
	conn net.Conn
	in   io.Reader
	out  io.Writer
}

// talk sends every message, prints what comes, and closes after as many messages
// as are waited for. The error, never nil, is how the connection ended.
func (s *session) talk() error {
	for _, text := range s.Message {
		s.deadline()
		if err := wsutil.WriteClientText(s.conn, []byte(text)); err != nil {
			return err
		}
	}
	for n := 0; n != s.count(); n++ {
		s.deadline()
		if err := s.print(); err != nil {
			return err
		}
	}
	s.deadline()
	if err := wsutil.WriteClientMessage(s.conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, "")); err != nil {
		return err
	}
	for { // until the server's close frame, but not for longer than one wait
		if err := s.print(); err != nil {
			return err
		}
	}
}

// count is how many messages are waited for; −1: all that come.
func (c *clientCommand) count() int {
	switch {
	case c.Count != nil:
		return *c.Count
	case len(c.Message) > 0:
		return len(c.Message)
	}
	return -1
}

func (s *session) deadline() {
	if s.Wait > 0 {
		_ = s.conn.SetDeadline(time.Now().Add(s.Wait))
	}
}

// print prints the next message. Pings are answered, and a close frame is
// answered and returned as the error.
func (s *session) print() error {
	r := wsutil.Reader{
		Source: s.in, State: ws.StateClientSide, CheckUTF8: true, OnIntermediate: s.control,
		MaxFrameSize: int64(s.MaxSize), MaxMessageSize: int64(s.MaxSize),
	}
	for {
		h, err := r.NextFrame()
		if err != nil {
			return err
		}
		if h.OpCode.IsControl() {
			if err := s.control(h, &r); err != nil {
				return err
			}
			continue
		}
		return s.message(h.OpCode, &r)
	}
}

// control answers a control frame. Close frames are not left to wsutil, which
// does not know the codes that were registered since RFC 6455.
func (s *session) control(h ws.Header, r io.Reader) error {
	if h.OpCode != ws.OpClose {
		return wsutil.ControlFrameHandler(s.conn, ws.StateClientSide)(h, r)
	}
	p, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	code, reason := ws.ParseCloseFrameData(p)
	if len(p) == 0 {
		code = ws.StatusNoStatusRcvd
	} else if !websocket.ValidCode(code) || !utf8.ValidString(reason) {
		return fmt.Errorf("a bad close frame: %d %q", code, reason)
	}
	_ = wsutil.WriteClientMessage(s.conn, ws.OpClose, p) // it may be the answer to ours
	return wsutil.ClosedError{Code: code, Reason: reason}
}

// message prints a message: a text as it is, anything else as a dump.
func (s *session) message(op ws.OpCode, r io.Reader) error {
	p, err := io.ReadAll(r)
	if err != nil {
		return err
	}
	if op == ws.OpText {
		_, err = fmt.Fprintf(s.out, "%s\n", p)
		return err
	}
	_, err = io.WriteString(s.out, hex.Dump(p))
	return err
}
