package main

import (
	"strings"

	"echogate/poller/websocket"
)

// This file has the paths whose subject is the handshake: /origin_check, /cookie,
// /hsts, /subprotocol.

var originParams = []parameter{
	{Name: "origin", Accepts: "an origin, repeatable", Default: "http://example.com", About: "the list of those who may connect"},
}

// checkOrigin refuses who does not come from a page of the list, browsers or not.
func checkOrigin(_ *websocket.Conn, r *websocket.Request) error {
	origin, _ := r.Header("Origin")
	listed, found := false, false
	r.Queries(func(name, value string) bool {
		if name == "origin" {
			listed = true
			found = found || strings.EqualFold(value, origin)
		}
		return true
	})
	if found || !listed && strings.EqualFold(origin, "http://example.com") {
		return nil
	}
	return websocket.Refuse(403, "this origin may not connect")
}

var cookieParams = []parameter{
	{Name: "set", Accepts: "nothing", About: "sets the cookie foo=bar"},
	{Name: "set_httponly", Accepts: "nothing", About: "sets the cookie httpOnlyFoo=bar, which scripts do not see"},
	{Name: "clear", Accepts: "nothing", About: "has both expire"},
}

// cookies are the Set-Cookie headers of each parameter.
var cookies = []struct {
	parameter string
	headers   []string
}{
	{"set", []string{"foo=bar; Path=/; Max-Age=86400"}},
	{"set_httponly", []string{"httpOnlyFoo=bar; Path=/; Max-Age=86400; HttpOnly"}},
	{"clear", []string{"foo=; Path=/; Max-Age=0", "httpOnlyFoo=; Path=/; Max-Age=0; HttpOnly"}},
}

func setCookie(c *websocket.Conn, r *websocket.Request) error {
	for _, k := range cookies {
		if !flagged(r, k.parameter) {
			continue
		}
		for _, v := range k.headers {
			c.AddHeader("Set-Cookie", v)
		}
	}
	return nil
}

func strictTransport(c *websocket.Conn, _ *websocket.Request) error {
	c.AddHeader("Strict-Transport-Security", "max-age=3600")
	return nil
}

var subprotocolParams = []parameter{
	{Name: "mode", Accepts: "first, none or foreign", Default: "first", About: "the first one offered, none, or one that was not offered"},
}

func subprotocol(c *websocket.Conn, r *websocket.Request) error {
	switch mode, ok := r.Query("mode"); {
	case !ok || mode == "first":
	case mode == "none":
		c.Choose("")
	case mode == "foreign":
		c.Choose("never-offered.echogate")
	default:
		return refuseParameter("mode", "first, none and foreign")
	}
	return nil
}
