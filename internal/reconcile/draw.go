package reconcile

import (
	"maps"
	"reflect"

	"kvmnet/internal/plan"
	"kvmnet/internal/spec"
)

// drawing is what package plan makes of specs and facts. With many objects that
// takes most of a look, and between two looks both are mostly the same.
type drawing struct {
	live, free *spec.Spec // free is live without the networks that must wait
	facts      plan.Facts
	want       plan.State
	services   []plan.Service
	warnings   []plan.Conflict
}

// draw returns what to make of specs and facts: the last drawing while they are the
// ones that it was made of. Nobody changes what is in it.
func (e *Engine) draw(live, free *spec.Spec, facts plan.Facts) *drawing {
	if e.drawn == nil || !e.drawn.isOf(live, free, facts) {
		e.drawn = &drawing{live, free, facts, plan.Build(free, facts), plan.Services(free, facts), plan.Warnings(free, facts)}
	}
	return e.drawn
}

func (d *drawing) isOf(live, free *spec.Spec, facts plan.Facts) bool {
	return d.live == live && maps.Equal(d.free.Networks, free.Networks) && reflect.DeepEqual(d.facts, facts)
}
