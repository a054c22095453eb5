package peers

import (
	"context"
	"errors"
	"fmt"
	"os"
)

// networkdConf configures eth0. A client id from the MAC and a DUID of the link
// layer need no /etc/machine-id.
var networkdConf = map[int]string{
	4: `[Match]
Name=eth0
[Network]
DHCP=ipv4
IPv6AcceptRA=no
LinkLocalAddressing=no
[DHCPv4]
ClientIdentifier=mac
UseMTU=yes
UseDomains=yes
Hostname=%s
`,
	6: `[Match]
Name=eth0
[Network]
IPv6AcceptRA=yes
[DHCPv6]
DUIDType=link-layer
UseDomains=yes
UseHostname=no
# %s
`,
}

// busConf is a message bus for everybody inside: networkctl speaks over it.
const busConf = `<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>system</type>
  <listen>unix:path=/run/dbus/system_bus_socket</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow own="*"/> <allow send_destination="*"/> <allow receive_sender="*"/> <allow user="*"/>
  </policy>
</busconfig>
`

// furnish makes the directories that systemd and its units would make. Networkd
// runs as a user of its own and writes below /run/systemd/netif only.
func (c *networkd) furnish() error {
	var errs []error
	for _, dir := range []string{"run/systemd/netif/links", "run/systemd/netif/leases", "run/systemd/netif/lldp", "run/dbus", "lib", "etc"} {
		errs = append(errs, os.MkdirAll(c.path(dir), 0o755))
	}
	errs = append(errs,
		os.WriteFile(c.path("etc", "10-eth0.network"), fmt.Appendf(nil, networkdConf[c.family], c.host.Name()), 0o644),
		os.WriteFile(c.path("run", "bus.conf"), []byte(busConf), 0o644))
	return errors.Join(errs...)
}

// room is the private root of networkd and all that speaks with it. Networkd
// waits for udev to tell of an interface, unless /sys is read-only, which it
// takes for a container without udev.
func (c *networkd) room() []string {
	return []string{
		bind(c.path("etc"), "/etc/systemd/network"), bind(c.path("lib"), "/var/lib/systemd"), bind(c.path("run"), "/run"),
		"mount -o remount,bind,ro /sys",
		"chown -R systemd-network: /run/systemd/netif",
	}
}

// begin starts the bus, once, and networkd.
func (c *networkd) begin(ctx context.Context) error {
	if c.proc != nil {
		return nil
	}
	if _, err := os.Stat(c.path("run", "dbus", "system_bus_socket")); err != nil {
		bus := program{argv: []string{"dbus-daemon", "--config-file=/run/bus.conf", "--nofork", "--nopidfile"}, prepare: c.room()}
		if _, err := start(c.t, c.host, c.path("bus.log"), bus); err != nil {
			return err
		}
		if err := until(ctx, func() error { _, err := os.Stat(c.path("run", "dbus", "system_bus_socket")); return err }); err != nil {
			return err
		}
	}
	for _, of := range []string{"links", "leases"} { // of one that was killed
		if err := os.RemoveAll(c.path("run", "systemd", "netif", of)); err != nil {
			return err
		}
	}
	if err := c.furnish(); err != nil {
		return err
	}
	return c.start(program{argv: []string{networkdPath}, env: []string{"SYSTEMD_LOG_LEVEL=debug"}, prepare: c.room()})
}

// control runs networkctl in networkd's room.
func (c *networkd) control(ctx context.Context, args ...string) error {
	p, err := start(c.t, c.host, c.path("networkctl.log"), program{argv: append([]string{"networkctl"}, args...), prepare: c.room()})
	if err != nil {
		return err
	}
	if err := p.ended(ctx); err != nil {
		return fmt.Errorf("networkctl %s: %w%s", args, err, p.said())
	}
	return nil
}
