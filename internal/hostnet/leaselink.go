package hostnet

import (
	"context"
	"slices"
	"time"

	"github.com/vishvananda/netlink"
	vns "github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// watchLinks has leases looked at when links come, go up or down, or become ports. Links
// of guests are nobody's who wants a lease.
func (h *Host) watchLinks(ctx context.Context) {
	for ctx.Err() == nil {
		if err := h.watchOnce(ctx); err != nil {
			h.Log.Warn("watch the links of the host", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
			h.LookAtLeases() // what was missed
		}
	}
}

// watchOnce watches until the end or until the kernel has lost a message.
func (h *Host) watchOnce(ctx context.Context) error {
	done := make(chan struct{})
	stop := context.AfterFunc(ctx, func() { close(done) })
	defer func() {
		if stop() {
			close(done)
		}
	}()
	updates := make(chan netlink.LinkUpdate, 64)
	ns := vns.NsHandle(h.NS.Fd())
	err := netlink.LinkSubscribeWithOptions(updates, done, netlink.LinkSubscribeOptions{Namespace: &ns, ErrorCallback: func(error) {}})
	if err != nil {
		return err
	}
	h.LookAtLeases() // what changed before
	looks := map[int32]string{}
	for u := range updates {
		if slices.Contains(ofGuests, u.Link.Type()) {
			continue
		}
		now := u.Attrs().Name + u.Attrs().Flags.String() + u.Attrs().HardwareAddr.String() + string(rune(u.Attrs().MasterIndex))
		if u.Header.Type == unix.RTM_DELLINK {
			now = ""
		}
		if looks[u.Index] == now {
			continue
		}
		if looks[u.Index] = now; now == "" {
			delete(looks, u.Index)
		}
		h.LookAtLeases()
	}
	return nil
}

// ofGuests are types of links of which a host may have thousands.
var ofGuests = []string{"tuntap", "tun", "macvtap"}
