package kernel

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strconv"
	"strings"

	"kvmnet/internal/plan"
)

// setting is a setting of a link and its place in the block of its family.
type setting struct {
	name  string
	place int // in 32-bit numbers
}

// The settings plan knows. A link message carries all settings of the link, so
// that no file has to be read: for IPv4 in the order of IPV4_DEVCONF_*, which
// begins with 1 (linux/ip.h), for IPv6 in that of DEVCONF_* (linux/ipv6.h).
// force_forwarding, the last, is there from kernel 6.17 on; where the block ends
// before it, the setting does not exist.
var (
	settings4 = []setting{{"forwarding", 0}, {"arp_announce", 17}, {"arp_ignore", 18}, {"promote_secondaries", 19}}
	settings6 = []setting{
		{"forwarding", 0}, {"accept_ra", 3}, {"autoconf", 5}, {"disable_ipv6", 26},
		{"accept_dad", 27}, {"force_forwarding", 59},
	}
)

// wholeHost are the settings of all links together, as a family and a name.
var wholeHost = []plan.Sysctl{
	{Family: "ipv4", Link: "all", Name: "forwarding"},
	{Family: "ipv6", Link: "all", Name: "forwarding"},
}

func (v *view) addSettings(d *device) {
	v.addBlock(d, "ipv4", d.conf4, settings4)
	v.addBlock(d, "ipv6", d.conf6, settings6)
}

func (v *view) addBlock(d *device, family string, block []byte, settings []setting) {
	for _, s := range settings {
		if len(block) >= 4*(s.place+1) {
			v.state.Add(plan.Sysctl{
				Mark: d.mark(), NS: v.ns, Family: family, Link: d.name, Name: s.name,
				Value: strconv.Itoa(number(block[4*s.place:])),
			})
		}
	}
}

// observeWhole reads the settings of the whole namespace, which no link carries.
// Without IPv6 its file is not there.
func (k *Kernel) observeWhole(v *view) error {
	return k.ns.Do(func() error {
		for _, s := range wholeHost {
			value, err := os.ReadFile(procPath(s))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				continue
			case err != nil:
				return fmt.Errorf("read setting: %w", err)
			}
			s.NS, s.Value = v.ns, strings.TrimSpace(string(value))
			v.state.Add(s)
		}
		return nil
	})
}

// procPath is the file of a setting. It shows the namespace of the thread that
// opens it.
func procPath(s plan.Sysctl) string { return "/proc/sys/" + s.Path() }

// setSysctls writes settings in one visit to the namespace, up to the first that
// fails. A setting goes with its link, so there is nothing to delete.
func (a *applier) setSysctls(ops []plan.Op) []error {
	var errs []error
	err := a.k.ns.Do(func() error {
		for _, op := range ops {
			var err error
			if s := op.Object.(plan.Sysctl); op.Verb != plan.Del {
				err = writeSysctl(s)
			}
			if errs = append(errs, err); err != nil {
				break
			}
		}
		return nil
	})
	if err != nil {
		return append(errs, err)[:1]
	}
	return errs
}

// writeSysctl writes without O_CREATE and O_TRUNC, which /proc has no use for.
func writeSysctl(s plan.Sysctl) error {
	f, err := os.OpenFile(procPath(s), os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(s.Value)
	return err
}
