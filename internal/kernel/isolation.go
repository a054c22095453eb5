package kernel

import (
	"errors"
	"fmt"

	"github.com/vishvananda/netlink/nl"
	"golang.org/x/sys/unix"

	"kvmnet/internal/plan"
)

// isolation sets whether a port is kept from the other isolated ports of its bridge.
// To end it on a link that is no port any more there is nothing to do: the setting
// is the bridge's.
func (a *applier) isolation(i plan.Isolation, on bool) error {
	d, err := a.k.device(i.Link)
	switch {
	case err != nil && !on:
		return unlessGone(err, unix.ENODEV)
	case err != nil:
		return fmt.Errorf("find link %s: %w", i.Link, err)
	case d.isolated == on:
		return nil
	case d.master == 0:
		return errors.New("the link is not a port of a bridge")
	}
	info := attr(unix.IFLA_LINKINFO, nil)
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_KIND, nl.NonZeroTerminated("bridge"))
	value := byte(0)
	if on {
		value = 1
	}
	info.AddRtAttr(nl.IFLA_INFO_SLAVE_DATA, nil).AddRtAttr(nl.IFLA_BRPORT_ISOLATED, nl.Uint8Attr(value))
	return a.modify(d.index, []nl.NetlinkRequestData{info})
}

// parseSlave reads what a bridge says of a port.
func (d *device) parseSlave(data []byte) {
	for kind, v := range attrs(data) {
		if kind == nl.IFLA_BRPORT_ISOLATED {
			d.isolated = len(v) > 0 && v[0] != 0
		}
	}
}
