package cli

import (
	"fmt"

	"kvmnet/internal/api"
	"kvmnet/internal/spec"
)

var ifaceBridge = &verb{name: "iface-bridge", help: "create a bridge device and attach an existing network device to it", about: "bridge an existing network device",
	example: `  kvmnet iface-bridge eth0 br0
  kvmnet iface-bridge eth0 br0 --no-stp --no-start`,
	params: []param{
		{name: ifaceParam.name, help: "existing interface name", kind: aWord, required: true},
		{name: bridgeParam.name, help: "new bridge device name", kind: aWord, required: true},
		{name: "no-stp", help: "do not enable STP for this bridge"},
		{name: "delay", help: "number of seconds to squelch traffic on newly connected ports", kind: aNumber},
		{name: "no-start", help: "don't start the bridge immediately"},
	},
	run: (*call).bridgeInterface}

func (c *call) bridgeInterface() error {
	r, err := c.toBridge()
	if err != nil {
		return err
	}
	done, err := c.client().BridgeInterface(c.ctx, r)
	if err != nil {
		return c.failInterface(err, "Failed to define new bridge interface %s", r.Bridge)
	}
	c.extra("Created bridge %s with attached device %s\n", r.Bridge, r.Interface)
	if r.Start {
		c.extra("Bridge interface %s started\n", r.Bridge)
	}
	c.waits(done.Conversion)
	return nil
}

// toBridge looks at what virsh looks at, and in its order.
func (c *call) toBridge() (r api.BridgeInterface, err error) {
	i, err := c.iface(ifaceParam.name, ifaceByName)
	if err != nil {
		return r, err
	}
	bridge, err := c.value(bridgeParam.name)
	if err != nil {
		return r, err
	}
	if _, err := c.client().Interface(c.ctx, bridge); err == nil {
		return r, virshError{fmt.Sprintf("Network device %s already exists", bridge)}
	}
	delay, err := c.number("delay", 0)
	if err != nil || delay < 0 {
		return r, virshError{malformed("delay", c.given["delay"]).Error(), unknownInterface(bridge)} // its last error is still there
	}
	if shape(i).Type == spec.BridgeInterface {
		return r, virshError{fmt.Sprintf("Existing device %s is already a bridge", i.Name)}
	}
	return api.BridgeInterface{Interface: i.Name, Bridge: bridge, STP: !c.has("no-stp"), Delay: spec.Seconds(delay), Start: !c.has("no-start"), Peer: sshPeer()}, nil
}

// shape is an interface as it is defined, or as it runs where nobody has defined it.
func shape(i api.HostInterface) spec.HostInterface {
	switch {
	case i.Defined != nil:
		return *i.Defined
	case i.Live != nil:
		return *i.Live
	}
	return spec.HostInterface{Name: i.Name}
}

var ifaceUnbridge = &verb{name: "iface-unbridge", help: "undefine a bridge device after detaching its device(s)", about: "unbridge a network device",
	example: `  kvmnet iface-unbridge br0`,
	params:  []param{bridgeParam, {name: "no-start", help: "don't start the detached interface immediately (not recommended)"}},
	run:     (*call).unbridgeInterface}

func (c *call) unbridgeInterface() error {
	i, err := c.iface(bridgeParam.name, ifaceByName)
	if err != nil {
		return err
	}
	if err := unbridgeable(i); err != nil {
		return err
	}
	done, err := c.client().UnbridgeInterface(c.ctx, api.UnbridgeInterface{Bridge: i.Name, Start: !c.has("no-start"), Peer: sshPeer()})
	if err != nil {
		return c.failInterface(err, "Failed to undefine bridge interface %s", i.Name)
	}
	c.extra("Device %s un-attached from bridge %s\n", done.Port, i.Name)
	if !c.has("no-start") {
		c.extra("Interface %s started\n", done.Port)
	}
	c.waits(done.Conversion)
	return nil
}

// unbridgeable refuses what virsh refuses itself.
func unbridgeable(i api.HostInterface) error {
	s := shape(i)
	switch {
	case s.Type != spec.BridgeInterface:
		return virshError{fmt.Sprintf("Device %s is not a bridge", i.Name)}
	case len(s.Ports()) > 1:
		return virshError{"Multiple interfaces attached to bridge"}
	case len(s.Ports()) == 0:
		return virshError{"No interface attached to bridge"}
	}
	return nil
}
