//go:build !race

package poller

const raceBuild = false
