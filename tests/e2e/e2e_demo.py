"""The six steps of the demo, each asserted, then once more on the same stack: a second run changes nothing of the first."""

import e2e_stack
from e2e_stack import demo


def main():
    with e2e_stack.running("e2e-demo") as stack:
        demo.play(stack)
        first = (stack.task, stack.second_task)
        stack.new_run()
        demo.play(stack)
        e2e_stack.expect(stack.link(first[0])["state"] == "ended" and stack.link(first[1])["state"] == "live",
                         "the second run touched the first one's tasks")


e2e_stack.run(main)
