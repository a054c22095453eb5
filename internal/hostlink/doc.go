// Package hostlink knows what an interface of the host has in the kernel: addresses,
// routes, rules, neighbours, groups and settings. It moves all that into a bridge, and
// back.
//
// What enters: a network namespace, and what to move where. What leaves: snapshots,
// which can be kept as JSON, and ops, which are printed as ip(8) would be told. To
// work out ops is pure; to look and to apply is dumb. What is moved is moved as the
// kernel's own bytes, so that nothing is lost that this room does not know.
//
//	before, _ := Look(ns, "eth0", "br0")        // keep it, durably
//	ops, warnings, _ := Convert(before, Options{Bridge: "br0"})
//	Apply(ctx, ns, ops, nil)                    // killed in the middle?
//	now, _ := Again(ns, before)
//	ops, _ = Revert(now, before)                // as before, from wherever it is now
//
// A bridge that is there already keeps what it has, and what it was is part of what was
// looked at: Revert makes it that again, and Unconvert is told it.
//
// List tells the interfaces in the words of the model; Start and Stop bring one up and
// down where no manager does.
//
// It knows nothing of networks of kvmnet. It imports netns and spec only.
package hostlink
