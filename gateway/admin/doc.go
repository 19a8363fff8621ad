// Package admin is the gateway's second port: health, readiness, metrics,
// profiles, the list of connections, a drain to rehearse, and a page that shows
// all of it live.
//
// It is plain net/http on listeners of its own, never on the port of the
// sockets, and it asks the server only when it is asked itself: nobody looking
// costs nothing. From elsewhere than loopback it answers /healthz, /readyz and
// /metrics alone, unless Options.Open; what changes something it does for no
// other site's page.
package admin
