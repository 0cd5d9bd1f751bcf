"""How well North's agents use tools, beside the same model in a plain ReAct loop (LangGraph's prebuilt agent)."""
