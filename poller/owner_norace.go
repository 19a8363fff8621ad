//go:build !race

package poller

type owner struct{}

func (*owner) own()   {}
func (*owner) check() {}
