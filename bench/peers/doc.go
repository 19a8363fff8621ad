// Package peers holds the field that the gateway is measured against: one echo
// server for each of the known WebSocket libraries of Go, as small as its
// library allows and with the settings its library recommends for many
// connections, and a floor that does no more than a verifying client makes
// necessary. Each is a program in a folder of its own; README.md says what they
// have in common and why each is set up as it is.
//
// The module is apart from the gateway's, so that none of these libraries is
// among its dependencies.
package peers
