// A CDK app in TypeScript with functions in Python: `lbdart build` makes their zips at synth.
import { App, Stack } from "aws-cdk-lib";
import * as lambda from "aws-cdk-lib/aws-lambda";

/** The Python project, relative to the directory of cdk.json. */
const PROJECT = "../example/orders";
const RUNTIME = lambda.Runtime.PYTHON_3_13;
const ARCHITECTURE = lambda.Architecture.ARM_64;

/**
 * Build a zip and return it as code.
 *
 * @param name names the file. Give each zip of the app a name of its own: CDK reads the file later.
 */
function built(name: string, kind: "layer" | "source" | "function", ...options: string[]): lambda.AssetCode {
  const output = `build/${name}.zip`;
  const target = ["--runtime", RUNTIME.name, "--arch", ARCHITECTURE.name];
  return lambda.Code.fromCustomCommand(
    output,
    ["lbdart", "build", kind, PROJECT, ...target, ...options, "-o", output],
    // What lbdart says goes to stderr, because `cdk synth` prints the template on stdout.
    { commandOptions: { stdio: ["ignore", 2, 2] } },
  );
}

const app = new App();
const stack = new Stack(app, "Orders");

// Dependencies in a layer, the code beside it ...
const deps = new lambda.LayerVersion(stack, "Deps", {
  code: built("orders-deps", "layer"),
  compatibleRuntimes: [RUNTIME],
  compatibleArchitectures: [ARCHITECTURE],
});
new lambda.Function(stack, "Pricing", {
  runtime: RUNTIME,
  architecture: ARCHITECTURE,
  handler: "orders.app.handler",
  code: built("orders-code", "source"),
  layers: [deps],
});

// ... or both in one zip.
new lambda.Function(stack, "PricingInOneZip", {
  runtime: RUNTIME,
  architecture: ARCHITECTURE,
  handler: "orders.app.handler",
  code: built("orders-function", "function"),
});
