package cli

import (
	"errors"
	"fmt"

	"kvmnet/internal/api"
)

const invalidOperation = "Requested operation is not valid: "

// why words an error of the daemon as libvirt does, where libvirt has it.
func (c *call) why(err error, n api.Network) string {
	var e *api.Error
	if !errors.As(err, &e) {
		return err.Error()
	}
	switch e.Reason {
	case api.ReasonActive:
		return invalidOperation + "network is already active"
	case api.ReasonInactive:
		return invalidOperation + c.inactive(n)
	case api.ReasonTransient, api.ReasonNotPersistent:
		return invalidOperation + c.transient()
	case api.ReasonNoNetwork:
		return unknownNetwork(n.Name, byName)
	case api.ReasonNoMetadata:
		return "metadata not found: Requested metadata element is not present"
	case api.ReasonSubnetInUse:
		return "internal error: " + c.inFull(e)
	}
	return c.inFull(e)
}

// inFull is an error with the places in the user's file. Where libvirt has words for
// it they stand alone, unless a person reads them.
func (c *call) inFull(e *api.Error) string {
	if e.Reason == "" || isTerminal(c.Stderr) {
		return e.Error()
	}
	return e.Message
}

// inactive says that a network would have to run.
func (c *call) inactive(n api.Network) string {
	if c.has("live") {
		return "network is not running"
	}
	return fmt.Sprintf("network '%s' is not active", n.Name)
}

// transient says that a network would have to be defined.
func (c *call) transient() string {
	switch c.verb.name {
	case "net-undefine":
		return "can't undefine transient network"
	case "net-autostart":
		return "cannot set autostart for transient network"
	}
	return "cannot change persistent config of a transient network"
}
