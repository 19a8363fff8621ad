package address

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"
)

// option is one of those that may follow the question mark.
type option struct {
	name     string
	accepted string // the values, for messages
	set      func(a *Address, value string) error
}

// options are all there are. A new one is a line here.
var options = []option{
	{"proxy", "required", (*Address).setProxy},
	{"tls", "off", (*Address).setTLS},
	{"mode", "an octal number from 0000 to 0777", (*Address).setMode},
}

// errValue says that an option does not accept its value.
var errValue = errors.New("bad value")

// options reads name=value pairs with an ampersand between them.
func (a *Address) options(query string) error {
	seen := map[string]bool{}
	for pair := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(pair, "=")
		o := find(name)
		if o == nil {
			return fmt.Errorf("unknown option %q: accepted are %s", name, names())
		}
		if seen[name] {
			return fmt.Errorf("option %s is there twice", name)
		}
		seen[name] = true
		if err := o.set(a, value); err == errValue {
			return fmt.Errorf("option %s=%s: accepted is %s", name, value, o.accepted)
		} else if err != nil {
			return fmt.Errorf("option %s: %w", name, err)
		}
	}
	return nil
}

func find(name string) *option {
	for i := range options {
		if options[i].name == name {
			return &options[i]
		}
	}
	return nil
}

func names() string {
	all := make([]string, len(options))
	for i, o := range options {
		all[i] = o.name
	}
	return strings.Join(all, ", ")
}

// setProxy knows no "optional": who may send a header or leave it out chooses
// whose address is believed, and the protocol forbids guessing (section 2 of its
// specification).
func (a *Address) setProxy(value string) error {
	if value != "required" {
		return errValue
	}
	a.Proxy = true
	return nil
}

func (a *Address) setTLS(value string) error {
	if value != "off" {
		return errValue
	}
	a.Plain = true
	return nil
}

func (a *Address) setMode(value string) error {
	n, err := strconv.ParseUint(value, 8, 16)
	if err != nil || n > uint64(fs.ModePerm) {
		return errValue
	}
	if a.Unix == "" || a.Unix[0] == '@' {
		return errors.New("only a unix socket with a path has a mode")
	}
	a.Mode, a.HasMode = fs.FileMode(n), true
	return nil
}
