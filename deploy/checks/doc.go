// Package checks holds what proves that the files of deploy/ do what they say: the
// image in a real engine, the proxies in front of a real gateway, every query of
// the dashboard and every alert against a real Prometheus, and the manifests, the
// compose file and the unit files against the types and tools of those who read
// them. It is a module of its own, so that none of those types are the gateway's.
//
// A tool that is missing skips its tests; with ECHOGATE_TEST_DEPLOY=required it
// fails them.
package checks
