package project

// Added begins a project.
type Added struct {
	Name string `json:"name"`
}

// EventType implements eventlog.Payload.
func (Added) EventType() string { return "project.added" }
