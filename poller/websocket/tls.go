package websocket

// TLS is what a connection's encryption was negotiated to be. Can be compared.
type TLS struct {
	Version    string // as "TLS 1.3"
	Cipher     string // suite, as "TLS_AES_128_GCM_SHA256"
	Curve      string // of the key exchange, as "X25519"; empty: there was none
	ServerName string // that the client asked for (SNI)
	Protocol   string // chosen by ALPN; empty: none
	Resumed    bool   // from an earlier session
	Peer       string // the client's certificate in DER; empty: it gave none
}

// TLS is what the connection's encryption was negotiated to be; false: the
// connection is plain.
func (c *Conn) TLS() (TLS, bool) { return c.loop.TLS(c) }
