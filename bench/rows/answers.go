package rows

import (
	"encoding/json"
	"os"
)

// Answer is what castellan answered to GetInstance for one instance.
type Answer struct {
	REST []byte // the body
	GRPC []byte // the message, without its frame
}

// SaveAnswers writes answers, by instance, to a file.
func SaveAnswers(path string, answers map[string]Answer) error {
	text, err := json.Marshal(answers)
	if err != nil {
		return err
	}
	return os.WriteFile(path, text, 0o600)
}

// LoadAnswers reads what SaveAnswers has written.
func LoadAnswers(path string) (answers map[string]Answer, err error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	return answers, json.Unmarshal(text, &answers)
}
