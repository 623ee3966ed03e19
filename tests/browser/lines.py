"""What is said on the stage, and what the stories look for."""

SAID = "Your order left our house this morning. It should be with you by Thursday, between nine and noon."
# Says so in the page's title if a browser ever takes it for more than text.
MARK = "<img src=x onerror=\"document.title='taken'\"><script>document.title='taken'</script>"
CLOSED = "carrier.closed"  # while a file of this name lies beside the store, the carrier takes nothing
CLOSED_SAID = "the carrier's desk is closed"
