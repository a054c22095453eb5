package nft

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// linkNames finds links of a namespace by number and by name.
type linkNames struct{ socket int }

// links lets do look links up.
func (c *Conn) links(do func(linkNames) error) error {
	return c.ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return fmt.Errorf("look up links: %w", err)
		}
		return errors.Join(do(linkNames{fd}), unix.Close(fd))
	})
}

// name is "" when there is no link of that number.
func (l linkNames) name(index int) string {
	ifr, err := unix.NewIfreq("x")
	if err != nil {
		return ""
	}
	ifr.SetUint32(uint32(index))
	if unix.IoctlIfreq(l.socket, unix.SIOCGIFNAME, ifr) != nil {
		return ""
	}
	return ifr.Name()
}

func (l linkNames) index(name string) (int, error) {
	ifr, err := unix.NewIfreq(name)
	if err == nil {
		err = unix.IoctlIfreq(l.socket, unix.SIOCGIFINDEX, ifr)
	}
	if err != nil {
		return 0, err
	}
	return int(ifr.Uint32()), nil
}
