//go:build linux

package main

import (
	"context"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"

	"echogate/gateway/zoo"
)

// visitWithGobwas visits all animals as a program does that is written with
// gobwas/ws: its dialer, and wsutil's reader.
func visitWithGobwas(_ *testing.T, host string) map[string]visited {
	var (
		mu  sync.Mutex
		all = make(map[string]visited)
		one sync.WaitGroup
	)
	for _, a := range zoo.Animals() {
		one.Go(func() {
			did := gobwasVisit("ws://" + host + a.URL)
			mu.Lock()
			defer mu.Unlock()
			all[a.Name] = did
		})
	}
	one.Wait()
	return all
}

// hangs is how long a client without a deadline of its own is given.
const hangs = 15 * time.Second

func gobwasVisit(url string) (did visited) {
	ctx, cancel := context.WithTimeout(context.Background(), hangs)
	defer cancel()
	conn, behind, _, err := ws.Dial(ctx, url)
	if err != nil {
		return visited{Error: "dial"}
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(hangs))
	did.Opened = true
	var from io.ReadWriter = conn
	if behind != nil { // what came in one segment with the 101
		from = struct {
			io.Reader
			io.Writer
		}{behind, conn}
	}
	for {
		message, _, err := wsutil.ReadServerData(from)
		if err != nil {
			return ended(did, err)
		}
		did.Messages++
		if string(message) == "close me" {
			_ = wsutil.WriteClientMessage(conn, ws.OpClose, ws.NewCloseFrameBody(ws.StatusNormalClosure, ""))
		}
	}
}

// ended is what the error of the last read says.
func ended(did visited, err error) visited {
	var (
		closed wsutil.ClosedError
		late   net.Error
	)
	switch {
	case errors.As(err, &closed):
		did.Code = int(closed.Code)
	case errors.As(err, &late) && late.Timeout():
		did.Error = "hung"
	default:
		did.Error = "read"
	}
	return did
}
