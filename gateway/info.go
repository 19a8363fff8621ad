package main

import (
	"net/netip"
	"os"

	"github.com/gobwas/ws"

	"echogate/poller/websocket"
)

// facts are a request as /info and /echo?hello=1 tell it.
type facts struct {
	Method   string              `json:"method"`
	Path     string              `json:"path"`
	Query    string              `json:"query"`
	Host     string              `json:"host"`
	Headers  map[string][]string `json:"headers"` // by the names that the client wrote
	Remote   string              `json:"remote"`  // empty: none, or no longer known
	Local    string              `json:"local"`
	TLS      any                 `json:"tls"` // null: plain TCP
	Hostname string              `json:"hostname"`
}

func factsOf(r *websocket.Request) facts {
	hostname, _ := os.Hostname()
	headers := make(map[string][]string)
	r.Headers(func(name, value []byte) bool {
		headers[string(name)] = append(headers[string(name)], string(value))
		return true
	})
	return facts{
		Method: r.Method(), Path: r.Path(), Query: r.RawQuery(), Host: r.Host(), Headers: headers,
		Remote: addressOf(r.Remote()), Local: addressOf(r.Local()), Hostname: hostname,
	}
}

func addressOf(a netip.AddrPort) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

func info(w *websocket.Response, r *websocket.Request) error {
	*w = jsonPage(factsOf(r))
	w.Cache = "no-store"
	return nil
}

// greet has the request sent as the first message.
func greet(c *websocket.Conn, r *websocket.Request) {
	hello := indented(factsOf(r))
	own := *c.Route()
	own.Open = func(c *websocket.Conn) error {
		defer func() { hello = nil }()
		return c.Send(ws.OpText, hello)
	}
	c.Use(&own)
}
