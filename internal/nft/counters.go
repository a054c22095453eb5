package nft

import (
	"cmp"
	"errors"
	"fmt"
	"slices"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// Counter is how many packets the program refused for one reason since it was
// loaded.
type Counter struct {
	Name           string // spoofed, isolated, other-network, inbound, pinned, held, invalid
	Packets, Bytes uint64
}

// Counters reads the counters of our table, sorted by name; none when the table
// is not there.
func (c *Conn) Counters() ([]Counter, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	objects, err := c.get(unix.NFT_MSG_GETOBJ, netlink.Dump, attr{unix.NFTA_OBJ_TABLE, Table})
	if errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read counters of table inet %s: %w", Table, err)
	}
	var counters []Counter
	for _, o := range objects {
		if o.text(unix.NFTA_OBJ_TABLE) != Table || o.uint32(unix.NFTA_OBJ_TYPE) != unix.NFT_OBJECT_COUNTER {
			continue
		}
		data := o.nested(unix.NFTA_OBJ_DATA)
		counters = append(counters, Counter{
			Name:    o.text(unix.NFTA_OBJ_NAME),
			Packets: data.uint64(unix.NFTA_COUNTER_PACKETS),
			Bytes:   data.uint64(unix.NFTA_COUNTER_BYTES),
		})
	}
	slices.SortFunc(counters, func(a, b Counter) int { return cmp.Compare(a.Name, b.Name) })
	return counters, nil
}
