// A function written for AWS Lambda with aws-lambda-go.
package main

import (
	"context"
	"fmt"

	"github.com/aws/aws-lambda-go/events"
	"github.com/aws/aws-lambda-go/lambda"
)

func handle(_ context.Context, event events.APIGatewayV2HTTPRequest) (events.APIGatewayV2HTTPResponse, error) {
	name := event.QueryStringParameters["name"]
	if name == "" {
		return events.APIGatewayV2HTTPResponse{StatusCode: 400, Body: "who are you?\n"}, nil
	}
	return events.APIGatewayV2HTTPResponse{
		StatusCode: 200,
		Headers:    map[string]string{"Content-Type": "text/plain; charset=utf-8"},
		Body:       fmt.Sprintf("Hello, %s, from Go!\n", name),
	}, nil
}

func main() {
	lambda.Start(handle)
}
