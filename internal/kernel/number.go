package kernel

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// family8 is the header of requests that have nothing but a family.
type family8 uint8

func (f family8) Len() int { return unix.RTA_ALIGNTO }

func (f family8) Serialize() []byte { return []byte{byte(f), 0, 0, 0} }

// numberOf is the number by which the links of this namespace name another one.
// The kernel gives it when it first needs it; before that it is -1.
func (k *Kernel) numberOf(far *Kernel) (int, error) {
	msgs, err := k.request(unix.RTM_GETNSID, 0, family8(unix.AF_UNSPEC), attr32(unix.NETNSA_FD, far.ns.Fd())).
		Execute(unix.NETLINK_ROUTE, unix.RTM_NEWNSID)
	if err != nil {
		return 0, fmt.Errorf("find the number of network namespace %s: %w", far.name, err)
	}
	for _, m := range msgs {
		for kind, v := range attrs(m[min(unix.RTA_ALIGNTO, len(m)):]) {
			if kind == unix.NETNSA_NSID {
				return number(v), nil
			}
		}
	}
	return -1, nil
}
