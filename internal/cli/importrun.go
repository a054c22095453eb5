package cli

import (
	"context"
	"errors"
	"fmt"

	"kvmnet/internal/api"
)

// importLibvirt tells what there is, takes what is meant unless it is only to tell, and
// prints a table with the outcome.
func (a *app) importLibvirt(ctx context.Context, i importing, names []string, form string) error {
	only := !i.all && len(names) == 0
	list, unread := a.survey(ctx, i, names)
	if list == nil && unread != nil {
		return unread
	}
	if !only && !i.dry {
		for k := 0; k < len(list) && ctx.Err() == nil; k++ {
			a.importOne(ctx, i, list[k])
		}
	}
	err := a.print(form, importSurvey{list}, func() error { return a.printImport(list, i, only, form == asWide) })
	if !only {
		unread = errors.Join(unread, untaken(list))
	}
	return errors.Join(err, unread, context.Cause(ctx))
}

func (a *app) printImport(list []*candidate, i importing, only, wide bool) error {
	if len(list) == 0 {
		a.say("libvirt has no networks")
		return nil
	}
	t := &table{head: []string{"NAME", "MODE", "BRIDGE", "SUBNETS", "AUTOSTART", "ACTIVE", "LEASES", "RESULT"}}
	for _, c := range list {
		t.add(c.row(wide)...)
	}
	if err := a.show(t); err != nil {
		return err
	}
	for _, c := range list {
		for _, text := range c.Differs {
			a.say("note: network/%s: %s", c.Name, text)
		}
		for _, text := range c.Problems {
			if c.Result != resultConflict || only {
				a.say("note: network/%s: %s", c.Name, text)
			}
		}
	}
	switch {
	case only:
		a.say("nothing was taken: name networks, or --all")
	case i.dry:
		a.say("nothing was taken (dry run)")
	}
	return nil
}

// importOne takes a network over, the whole or nothing of it. Of one that is here
// already only leases are taken, which may be longer by now; and it is started.
func (a *app) importOne(ctx context.Context, i importing, c *candidate) {
	var err error
	switch c.Result {
	case resultKnown:
		if _, err = a.client().ImportLeases(ctx, c.Name, c.leases); err == nil && i.start && !c.runs {
			err = a.startImported(ctx, c)
		}
	case resultReady:
		err = a.importNew(ctx, i, c)
	default:
		return
	}
	if err != nil {
		c.Result, c.Problems = resultConflict, []string{err.Error()}
	}
}

func (a *app) importNew(ctx context.Context, i importing, c *candidate) error {
	if _, err := a.client().Define(ctx, api.DefineRequest{File: c.from.XML}); err != nil {
		return err
	}
	c.Result = resultTaken
	err := a.furnish(ctx, c)
	if err == nil && i.start {
		err = a.startImported(ctx, c)
	}
	if err == nil {
		return nil
	}
	if undo := a.client().Undefine(context.WithoutCancel(ctx), c.Name); undo != nil { // also after Ctrl-C
		return errors.Join(err, fmt.Errorf("take the definition back: %w", undo))
	}
	return err
}

func (a *app) startImported(ctx context.Context, c *candidate) error {
	err := a.client().Start(ctx, c.Name)
	if err == nil {
		c.Result = resultStarted
	}
	return err
}

// furnish gives a network that was just defined what libvirt has beside the
// definition.
func (a *app) furnish(ctx context.Context, c *candidate) error {
	if c.Autostart {
		if err := a.client().SetAutostart(ctx, c.Name, true); err != nil {
			return err
		}
	}
	taken, err := a.client().ImportLeases(ctx, c.Name, c.leases)
	if missed := len(c.leases) - len(taken); err == nil && missed > 0 {
		c.Differs = append(c.Differs, fmt.Sprintf("%s not taken: their addresses are not the network's, or not free", count(missed, "lease")))
	}
	c.Leases = len(taken)
	return err
}
