package announce

import (
	"kvmnet/internal/socket"
)

// sender sends the frames.
type sender struct{ o Options }

// send tells of addresses of one namespace, and returns of which it could.
func (s sender) send(name string, list []subject) []bool {
	told := make([]bool, len(list))
	ns, there := s.o.Namespace(name)
	if !there {
		return told
	}
	outlet, err := socket.OpenOutlet(ns)
	if err != nil {
		s.o.Log.Warn("announce addresses", "namespace", name, "error", err)
		return told
	}
	defer outlet.Close()
	for i, x := range list {
		told[i], err = announce(outlet, x)
		s.o.Log.Debug("announce", "address", x.addr, "link", x.link, "namespace", name, "told", told[i], "error", err)
	}
	return told
}

// announce tells of one address, unless its link is down or it is not there.
func announce(outlet *socket.Outlet, x subject) (told bool, err error) {
	device, err := outlet.Find(x.link)
	if err != nil || !device.Running || !outlet.Holds(x.addr) {
		return false, err
	}
	if x.addr.Is4() {
		err = outlet.Gratuitous(device, x.addr)
	} else {
		err = outlet.Advertise(device, x.addr)
	}
	return err == nil, err
}
