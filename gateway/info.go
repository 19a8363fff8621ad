package main

import (
	"crypto/x509"
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
	TLS      *tlsFacts           `json:"tls"` // null: the connection is plain
	Hostname string              `json:"hostname"`
}

// tlsFacts are what a TLS handshake has settled.
type tlsFacts struct {
	Version    string `json:"version"`
	Cipher     string `json:"cipher"`
	Curve      string `json:"curve"`
	ServerName string `json:"server_name"` // that the client asked for
	Protocol   string `json:"protocol"`    // chosen by ALPN
	Resumed    bool   `json:"resumed"`
	Client     string `json:"client"` // whom the client's certificate names; empty: it showed none
}

func tlsFactsOf(r *websocket.Request) *tlsFacts {
	t, ok := r.TLS()
	if !ok {
		return nil
	}
	f := &tlsFacts{
		Version: t.Version, Cipher: t.Cipher, Curve: t.Curve,
		ServerName: t.ServerName, Protocol: t.Protocol, Resumed: t.Resumed,
	}
	if cert, err := x509.ParseCertificate([]byte(t.Peer)); err == nil {
		f.Client = cert.Subject.String()
	}
	return f
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
		Remote: addressOf(r.Remote()), Local: addressOf(r.Local()), TLS: tlsFactsOf(r), Hostname: hostname,
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
